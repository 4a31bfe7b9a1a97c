//! `taskfold retry`: projects dead letters again, once their cause is repaired.

use taskfold_projector::dead_letters;

use crate::databases::DatabaseRole;
use crate::migrate;
use crate::program::{Program, Site};
use crate::servers::{Needs, Sharing};

/// What this role needs of the servers.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, parts: &[DatabaseRole::Projector], owner: false, nats: false };

pub async fn run(program: Program) -> anyhow::Result<()> {
    program.with_servers(NEEDS, retry).await
}

async fn retry(here: Site) -> anyhow::Result<()> {
    let pool = here.pool(DatabaseRole::Maintenance).await?;
    migrate::check(&pool).await?;
    let asked = dead_letters::request_retry(&pool).await?;
    // A projector may be at work or not; the checkpoint's lock lets both of us try.
    dead_letters::retry_requested(&pool).await?;
    let (left, first) = dead_letters::summary(&pool).await?;
    println!("{asked} dead letters tried again, {left} remain");
    match first {
        Some(first) => anyhow::bail!("still not projected: {first}"),
        None => Ok(()),
    }
}
