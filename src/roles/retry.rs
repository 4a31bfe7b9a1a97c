//! `taskfold retry`: projects dead letters again, after their cause was repaired.

use taskfold_projector::dead_letters;

use crate::databases::DatabaseRole;
use crate::migrate;
use crate::program::{Environment, Program};
use crate::servers::{Needs, Sharing};

/// Needs of this role.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, roles: &[DatabaseRole::Projector], owner: false, nats: false };

pub async fn run(program: Program) -> anyhow::Result<()> {
    program.with_servers(NEEDS, retry).await
}

async fn retry(environment: Environment) -> anyhow::Result<()> {
    let pool = environment.pool(DatabaseRole::Maintenance).await?;
    migrate::check(&pool).await?;
    let requested = dead_letters::request_retry(&pool).await?;
    // A projector may be running too; the lock of the checkpoint allows both to try.
    dead_letters::retry_requested(&pool).await?;
    let (left, first) = dead_letters::summary(&pool).await?;
    println!("{requested} dead letters retried, {left} remain");
    match first {
        Some(first) => anyhow::bail!("still not projected: {first}"),
        None => Ok(()),
    }
}
