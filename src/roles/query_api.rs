//! `taskfold query-api`: answers reads. Without NATS its live streams read the log instead.

use taskfold_event_log::Writes;
use tokio::net::TcpListener;

use crate::databases::DatabaseRole;
use crate::health::{Dependency, Service};
use crate::lifecycle::Parts;
use crate::program::{Program, Site};
use crate::server::routes::routes;
use crate::servers::{Needs, Sharing};
use crate::{attachments, banner, migrate};

/// What this role needs of the servers.
const NEEDS: Needs =
    Needs { sharing: Sharing::Attach, parts: &[DatabaseRole::Query, DatabaseRole::Feed], owner: false, nats: true };

pub async fn run(program: Program) -> anyhow::Result<()> {
    let listener = program.listen().await?;
    program.with_servers(NEEDS, |site| serve(site, listener)).await
}

async fn serve(mut here: Site, listener: TcpListener) -> anyhow::Result<()> {
    let shutdown = here.program.shutdown.clone();
    let mut parts = Parts::new(shutdown.clone());
    let pool = here.pool(DatabaseRole::Query).await?;
    migrate::check(&pool).await?;
    let feed_pool = here.pool(DatabaseRole::Feed).await?;
    let verifier = here.verifier(&pool, &mut parts).await?;
    let log = here.log(&pool, &mut parts).await?;
    let nats = here.nats().await?;
    let store = attachments::store(&here.program.settings.attachments.place)?;
    let health = here.health(
        &[Service::Reads],
        [
            Dependency::postgres(pool.clone()),
            Dependency::nats(nats.clone()),
            Dependency::attachments(store.clone()),
            Dependency::projection(feed_pool.clone(), false, Writes::default()),
            Dependency::clock(),
        ],
    );
    let stream = here.program.settings.stream.clone();
    let reads = taskfold_query_api::service(taskfold_query_api::Deps {
        pool,
        feed_pool,
        nats: Some(nats),
        stream,
        verifier,
        presence_ttl: here.program.settings.limits.presence,
        streams_per_user: here.program.settings.limits.streams_per_user,
        attachments: store,
        log: log.clone(),
        shutdown,
    })?;
    let router = routes(vec![reads], health, Some(log), &mut parts);
    let address = listener.local_addr()?;
    here.serve(listener, router, &mut parts);
    banner::listening("query-api", address);
    parts.run().await
}
