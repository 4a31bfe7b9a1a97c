//! `taskfold retry`: events that were set aside are projected again, once their cause is mended.

use taskfold_projector::set_aside;

use crate::connections::DatabaseRole;
use crate::program::{Program, Site};
use crate::servers::Sharing;

pub async fn run(program: Program) -> anyhow::Result<()> {
    program.with_servers(Sharing::Attach, retry).await
}

async fn retry(here: Site) -> anyhow::Result<()> {
    here.check_schema().await?;
    let pool = here.pool(DatabaseRole::Projector)?;
    let asked = set_aside::request_retry(&pool).await?;
    // A projector may be at work or not; the checkpoint's lock lets both of us try.
    set_aside::retry_requested(&pool).await?;
    let (left, first) = set_aside::summary(&pool).await?;
    println!("{asked} events were set aside, {left} still are");
    match first {
        Some(first) => anyhow::bail!("still not projected: {first}"),
        None => Ok(()),
    }
}
