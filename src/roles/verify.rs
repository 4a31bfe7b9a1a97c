//! `taskfold verify`: checks that log, stream and read tables agree, also next to a running system.

use crate::databases::DatabaseRole;
use crate::migrate;
use crate::program::{Environment, Program};
use crate::servers::{Needs, Sharing};

/// Needs of this role.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, roles: &[DatabaseRole::Projector], owner: false, nats: true };

pub async fn run(program: Program) -> anyhow::Result<()> {
    program.with_servers(NEEDS, verify).await
}

async fn verify(environment: Environment) -> anyhow::Result<()> {
    let pool = environment.pool(DatabaseRole::Maintenance).await?;
    migrate::check(&pool).await?;
    let nats = environment.nats().await?;
    let stream = environment.program.settings.stream.as_str();
    let report = taskfold_projector::verify::verify(&pool, Some((&nats, stream))).await?;
    println!("{report}");
    anyhow::ensure!(report.is_clean(), "log, stream and read tables do not agree");
    Ok(())
}
