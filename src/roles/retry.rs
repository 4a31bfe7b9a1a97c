//! `taskfold retry`: events that were set aside are projected again, once their cause is mended.

use taskfold_projector::set_aside;

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
