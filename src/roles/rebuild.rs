//! `taskfold rebuild`: the read tables anew from the log, with a bar to watch.

use indicatif::{ProgressBar, ProgressStyle};

use crate::connections::DatabaseRole;
use crate::program::{Program, Site};
use crate::servers::Sharing;

pub async fn run(program: Program) -> anyhow::Result<()> {
    program.with_servers(Sharing::Attach, rebuild).await
}

async fn rebuild(here: Site) -> anyhow::Result<()> {
    here.check_schema().await?;
    let pool = here.pool(DatabaseRole::Projector)?;
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} events, {eta} left")?;
    let bar = ProgressBar::no_length().with_style(style);
    let rebuilt = taskfold_projector::rebuild::rebuild(&pool, |done, total| {
        bar.set_length(total.unsigned_abs());
        bar.set_position(done.unsigned_abs());
    })
    .await?;
    bar.finish_and_clear();
    println!("read tables rebuilt from {} events", rebuilt.events);
    if rebuilt.set_aside > 0 {
        println!("{} events could not be projected and are set aside: `taskfold verify` names them", rebuilt.set_aside);
    }
    Ok(())
}
