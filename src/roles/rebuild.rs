//! `taskfold rebuild`: the read tables anew from the log, with a bar to watch. Exit code 0 whether they differed or not.

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use taskfold_projector::rebuild::{Rebuilt, Stage, Then, back, forget, rebuild};
use taskfold_projector::write_side::{Repaired, repair};

use crate::config::{Projection, Rebuild};
use crate::databases::DatabaseRole;
use crate::migrate;
use crate::program::{Program, Site};
use crate::servers::{Needs, Sharing};

/// What this role needs of the servers.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, parts: &[DatabaseRole::Projector], owner: false, nats: false };

/// The append's tables are the owner's.
const NEEDS_OWNER: Needs = Needs { owner: true, ..NEEDS };

pub async fn run(program: Program, what: Rebuild) -> anyhow::Result<()> {
    if what.write_side {
        return program.with_servers(NEEDS_OWNER, work_on_write_side).await;
    }
    program.with_servers(NEEDS, |here| work(here, what)).await
}

async fn work_on_write_side(here: Site) -> anyhow::Result<()> {
    let owner = here.owner.clone().context("making the append's tables again needs DATABASE_URL, the owner's")?;
    migrate::check(&owner).await?;
    let Repaired { tasks, not_placed, heads, commands, commands_removed, commands_lost } = repair(&owner).await?;
    println!("places, links and reminders: {tasks} tasks made again");
    println!("heads of aggregates: {heads} written again");
    println!("commands: {commands} made again, {commands_removed} removed that the log does not have");
    println!(
        "commands that came to no event are in no log: those that are missing stay so, and would be decided again"
    );
    if commands_lost > 0 {
        println!(
            "{commands_lost} commands are missing and stay so: an earlier release appended them, and recorded too little"
        );
    }
    anyhow::ensure!(
        not_placed.is_empty(),
        "by the log, {} tasks have the rank of another in their column, and could not be placed: {not_placed:?}",
        not_placed.len()
    );
    Ok(())
}

async fn work(here: Site, what: Rebuild) -> anyhow::Result<()> {
    let Projection::ReadTables = what.projection;
    let pool = here.pool(DatabaseRole::Maintenance).await?;
    migrate::check(&pool).await?;
    if what.forget {
        forget(&pool).await?;
        println!("the tables before the last rebuild are gone");
        return Ok(());
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len}, {eta} left")?;
    let bar = ProgressBar::no_length().with_style(style);
    let progress = |stage: Stage, done: u64, total: u64| {
        bar.set_message(match stage {
            Stage::Folding => "folding events   ",
            Stage::Documents => "writing documents",
            Stage::Indexes => "making indexes   ",
            Stage::Comparing => "comparing tables ",
        });
        bar.set_length(total);
        bar.set_position(done);
    };
    let rebuilt = match what {
        Rebuild { back: true, .. } => back(&pool, &progress).await?,
        Rebuild { dry_run: true, .. } => rebuild(&pool, Then::Compare, &progress).await?,
        Rebuild { .. } => rebuild(&pool, Then::Switch, &progress).await?,
    };
    bar.finish_and_clear();
    report(&rebuilt, &what);
    Ok(())
}

fn report(rebuilt: &Rebuilt, what: &Rebuild) {
    let Rebuilt { position, dead_letters, differences } = rebuilt;
    for difference in differences {
        println!("{difference}");
    }
    match (what.dry_run, differences.is_empty()) {
        (_, true) => println!("both generations have the same rows"),
        (true, false) => println!("nothing was changed"),
        (false, false) => println!("`taskfold rebuild --back` reads the tables of before again"),
    }
    if *dead_letters > 0 {
        println!("{dead_letters} events could not be projected and are dead letters: `taskfold verify` names them");
    }
    match (what.dry_run, what.back) {
        (true, _) => println!("compared at position {position}"),
        (false, false) => println!("read tables rebuilt, read from position {position} on"),
        (false, true) => println!("read tables of before, read from position {position} on"),
    }
}
