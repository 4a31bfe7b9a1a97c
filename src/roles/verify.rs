//! `taskfold verify`: whether log, stream and read tables agree, also beside a running system.

use crate::databases::DatabaseRole;
use crate::migrate;
use crate::program::{Program, Site};
use crate::servers::{Needs, Sharing};

/// What this role needs of the servers.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, parts: &[DatabaseRole::Projector], owner: false, nats: true };

pub async fn run(program: Program) -> anyhow::Result<()> {
    program.with_servers(NEEDS, verify).await
}

async fn verify(here: Site) -> anyhow::Result<()> {
    let pool = here.pool(DatabaseRole::Maintenance).await?;
    migrate::check(&pool).await?;
    let nats = here.nats().await?;
    let stream = here.program.settings.stream.as_str();
    let report = taskfold_projector::verify::verify(&pool, Some((&nats, stream))).await?;
    println!("{report}");
    anyhow::ensure!(report.is_clean(), "log, stream and read tables do not agree");
    Ok(())
}
