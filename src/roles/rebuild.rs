//! `taskfold rebuild`: rebuilds tables from the log, with a progress bar. The exit code is 0 even if they differed.

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use taskfold_projector::rebuild::{Rebuilt, Stage, Then, back, forget, rebuild};
use taskfold_projector::write_side::{Repaired, repair};

use crate::config::{Projection, Rebuild};
use crate::databases::DatabaseRole;
use crate::migrate;
use crate::program::{Environment, Program};
use crate::servers::{Needs, Sharing};

/// Needs of this role.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, roles: &[DatabaseRole::Projector], owner: false, nats: false };

/// Needs of a repair of the append's side tables, which belong to the owner.
const NEEDS_OWNER: Needs = Needs { owner: true, ..NEEDS };

pub async fn run(program: Program, what: Rebuild) -> anyhow::Result<()> {
    if what.write_side {
        return program.with_servers(NEEDS_OWNER, work_on_write_side).await;
    }
    program.with_servers(NEEDS, |environment| work(environment, what)).await
}

async fn work_on_write_side(environment: Environment) -> anyhow::Result<()> {
    let owner = environment
        .owner
        .clone()
        .context("repairing the side tables of the append needs DATABASE_URL, with the owner as user")?;
    migrate::check(&owner).await?;
    let Repaired { tasks, not_placed, heads, files, commands, commands_removed, commands_lost } =
        repair(&owner).await?;
    println!("placements, links and reminders: {tasks} tasks repaired");
    println!("heads of aggregates: {heads} repaired");
    println!("files that count against quotas: {files} repaired");
    println!("commands: {commands} repaired, {commands_removed} removed that are not in the log");
    println!("commands without events are not in the log and cannot be repaired: a missing one would be decided again");
    if commands_lost > 0 {
        println!(
            "{commands_lost} missing commands cannot be repaired: the earlier release that appended them recorded too little"
        );
    }
    anyhow::ensure!(
        not_placed.is_empty(),
        "according to the log, {} tasks have the rank of another task in their column, and could not be placed: {not_placed:?}",
        not_placed.len()
    );
    Ok(())
}

async fn work(environment: Environment, what: Rebuild) -> anyhow::Result<()> {
    let Projection::ReadTables = what.projection;
    let pool = environment.pool(DatabaseRole::Maintenance).await?;
    migrate::check(&pool).await?;
    if what.forget {
        forget(&pool).await?;
        println!("the tables before the last rebuild were dropped");
        return Ok(());
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len}, {eta} left")?;
    let bar = ProgressBar::no_length().with_style(style);
    let progress = |stage: Stage, done: u64, total: u64| {
        bar.set_message(match stage {
            Stage::Folding => "folding events   ",
            Stage::Documents => "writing documents",
            Stage::Indexes => "creating indexes ",
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
        (false, false) => println!("`taskfold rebuild --back` switches back to the previous tables"),
    }
    if *dead_letters > 0 {
        println!("{dead_letters} events could not be projected and are dead letters: `taskfold verify` lists them");
    }
    match (what.dry_run, what.back) {
        (true, _) => println!("compared at position {position}"),
        (false, false) => println!("read tables rebuilt, in use from position {position} on"),
        (false, true) => println!("previous read tables in use from position {position} on"),
    }
}
