//! `taskfold projector`: projects and publishes events. Several may run; one is active, the others stand by.

use tokio::net::TcpListener;

use crate::databases::DatabaseRole;
use crate::health::Dependency;
use crate::lifecycle::Components;
use crate::program::{Environment, Program};
use crate::server::routes::routes;
use crate::servers::{Needs, Sharing};
use crate::{banner, migrate};

/// Needs of this role.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, roles: &[DatabaseRole::Projector], owner: false, nats: true };

pub async fn run(program: Program) -> anyhow::Result<()> {
    let listener = program.listen().await?;
    program.with_servers(NEEDS, |environment| serve(environment, listener)).await
}

async fn serve(mut environment: Environment, listener: TcpListener) -> anyhow::Result<()> {
    let shutdown = environment.program.shutdown.clone();
    let mut components = Components::new(shutdown.clone());
    let projector = environment.projector().await?;
    environment.restart_stuck_nats(&mut components);
    migrate::check(&projector.pool).await?;
    let (pool, nats) = (projector.pool.clone(), projector.nats.clone());
    let health = environment.health(
        &[],
        [
            Dependency::postgres(pool.clone()),
            Dependency::nats(nats.clone()),
            Dependency::lease(pool.clone()),
            Dependency::projection(pool.clone(), true, projector.writes.clone()),
            Dependency::publication(pool, nats, projector.stream.clone()),
        ],
        &mut components,
    )?;
    components.spawn("projector", async move { taskfold_projector::run(projector).await.map_err(Into::into) });
    let router = routes(Vec::new(), health, None, environment.program.clock.clone(), &mut components);
    let address = listener.local_addr()?;
    environment.serve(listener, router, &mut components);
    banner::listening("projector", address);
    components.run().await
}
