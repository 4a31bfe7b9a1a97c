//! `taskfold query-api`: serves reads. While NATS is unavailable, its live streams read the log.

use taskfold_event_log::Writes;
use tokio::net::TcpListener;

use crate::databases::DatabaseRole;
use crate::health::{Dependency, Service};
use crate::lifecycle::Components;
use crate::program::{Environment, Program};
use crate::server::routes::routes;
use crate::servers::{Needs, Sharing};
use crate::{attachments, banner, migrate};

/// Needs of this role.
const NEEDS: Needs =
    Needs { sharing: Sharing::Attach, roles: &[DatabaseRole::Query, DatabaseRole::Feed], owner: false, nats: true };

pub async fn run(program: Program) -> anyhow::Result<()> {
    let listener = program.listen().await?;
    program.with_servers(NEEDS, |environment| serve(environment, listener)).await
}

async fn serve(mut environment: Environment, listener: TcpListener) -> anyhow::Result<()> {
    let Program { clock, shutdown, .. } = environment.program.clone();
    let mut components = Components::new(shutdown.clone());
    let pool = environment.pool(DatabaseRole::Query).await?;
    migrate::check(&pool).await?;
    let feed_pool = environment.pool(DatabaseRole::Feed).await?;
    let verifier = environment.verifier(&pool, &mut components).await?;
    let log = environment.log(&pool, &mut components).await?;
    let nats = environment.nats().await?;
    let store = attachments::store(&environment.program.settings.attachments.location)?;
    let health = environment.health(
        &[Service::Reads],
        [
            Dependency::postgres(pool.clone()),
            Dependency::nats(nats.clone()),
            Dependency::attachments(store.clone()),
            Dependency::projection(feed_pool.clone(), false, Writes::default()),
            Dependency::clock(clock.clone()),
        ],
        &mut components,
    )?;
    let stream = environment.program.settings.stream.clone();
    let reads = taskfold_query_api::service(taskfold_query_api::Deps {
        pool,
        feed_pool,
        nats: Some(nats),
        stream,
        verifier,
        limits: environment.program.settings.limits.callers,
        attachments: store,
        log: log.clone(),
        clock: clock.clone(),
        shutdown,
    })?;
    let router = routes(vec![reads], health, Some(log), clock, &mut components);
    let address = listener.local_addr()?;
    environment.serve(listener, router, &mut components);
    banner::listening("query-api", address);
    components.run().await
}
