//! `taskfold projector`: read tables and the stream. Several may run; one works, the others stand by.

use tokio::net::TcpListener;

use crate::databases::DatabaseRole;
use crate::health::Dependency;
use crate::lifecycle::Parts;
use crate::program::{Program, Site};
use crate::server::routes::routes;
use crate::servers::{Needs, Sharing};
use crate::{banner, migrate};

/// What this role needs of the servers.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, parts: &[DatabaseRole::Projector], owner: false, nats: true };

pub async fn run(program: Program) -> anyhow::Result<()> {
    let listener = program.listen().await?;
    program.with_servers(NEEDS, |site| serve(site, listener)).await
}

async fn serve(mut here: Site, listener: TcpListener) -> anyhow::Result<()> {
    let shutdown = here.program.shutdown.clone();
    let mut parts = Parts::new(shutdown.clone());
    let projector = here.projector().await?;
    here.heal_nats(&mut parts);
    migrate::check(&projector.pool).await?;
    let (pool, nats) = (projector.pool.clone(), projector.nats.clone());
    let health = here.health(
        &[],
        [
            Dependency::postgres(pool.clone()),
            Dependency::nats(nats.clone()),
            Dependency::lease(pool.clone()),
            Dependency::projection(pool.clone(), true, projector.writes.clone()),
            Dependency::publication(pool, nats, projector.stream.clone()),
        ],
    );
    parts.spawn("projector", async move { taskfold_projector::run(projector).await.map_err(Into::into) });
    let router = routes(Vec::new(), health, None, &mut parts);
    let address = listener.local_addr()?;
    here.serve(listener, router, &mut parts);
    banner::listening("projector", address);
    parts.run().await
}
