//! `taskfold verify`: whether log, stream and read tables agree, also beside a running system.

use crate::connections::DatabaseRole;
use crate::program::{Program, Site};
use crate::servers::Sharing;

pub async fn run(program: Program) -> anyhow::Result<()> {
    program.with_servers(Sharing::Attach, verify).await
}

async fn verify(here: Site) -> anyhow::Result<()> {
    here.check_schema().await?;
    let pool = here.pool(DatabaseRole::Projector)?;
    let nats = here.nats().await?;
    let stream = here.program.settings.stream.as_str();
    let report = taskfold_projector::verify::verify(&pool, Some((&nats, stream))).await?;
    println!("{report}");
    anyhow::ensure!(report.is_clean(), "log, stream and read tables do not agree");
    Ok(())
}
