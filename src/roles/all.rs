//! `taskfold`: every role in one process on one port, on servers of its own unless others are given.

use taskfold_event_log::Writes;
use tokio::net::TcpListener;

use crate::databases::DatabaseRole;
use crate::health::{Dependency, Service};
use crate::lifecycle::Parts;
use crate::program::{Program, Site};
use crate::server::routes::routes;
use crate::servers::{Needs, Sharing};
use crate::{attachments, banner, keys};

/// What this role needs of the servers.
const NEEDS: Needs = Needs {
    sharing: Sharing::Alone,
    parts: &[DatabaseRole::Command, DatabaseRole::Query, DatabaseRole::Feed, DatabaseRole::Projector],
    owner: true,
    nats: true,
};

pub async fn run(program: Program) -> anyhow::Result<()> {
    banner::starting(&program.settings);
    let listener = program.listen().await?;
    program.with_servers(NEEDS, |site| serve(site, listener)).await
}

/// Until the program's token is cancelled. Brings the schema up to date first.
pub async fn serve(mut here: Site, listener: TcpListener) -> anyhow::Result<()> {
    here.migrate().await?;
    let shutdown = here.program.shutdown.clone();
    let mut parts = Parts::new(shutdown.clone());
    let command_pool = here.pool(DatabaseRole::Command).await?;
    let signer = keys::signer(&command_pool).await?;
    let log = here.log(&command_pool, &mut parts).await?;
    let verifier = here.verifier(&command_pool, &mut parts).await?;
    let nats = here.nats().await?;
    let stream = here.program.settings.stream.clone();

    let attachments = attachments::store(&here.program.settings.attachments.place)?;

    let writes = Writes::default();
    let commands = taskfold_command_api::service(taskfold_command_api::Deps {
        pool: command_pool.clone(),
        signer,
        verifier: verifier.clone(),
        attachments: attachments.clone(),
        attachment_bytes: here.program.settings.attachments.bytes,
        writes: writes.clone(),
        log: log.clone(),
        shutdown: shutdown.clone(),
    });
    let reads = taskfold_query_api::service(taskfold_query_api::Deps {
        pool: here.pool(DatabaseRole::Query).await?,
        feed_pool: here.pool(DatabaseRole::Feed).await?,
        nats: Some(nats.clone()),
        stream: stream.clone(),
        verifier,
        presence_ttl: here.program.settings.limits.presence,
        streams_per_user: here.program.settings.limits.streams_per_user,
        attachments: attachments.clone(),
        log: log.clone(),
        shutdown,
    })?;
    let projector = here.projector().await?;
    here.heal_nats(&mut parts);
    let pool = projector.pool.clone();
    let health = here.health(
        &[Service::Commands, Service::Reads],
        [
            Dependency::postgres(pool.clone()),
            Dependency::nats(nats.clone()),
            Dependency::attachments(attachments),
            Dependency::log(command_pool.clone(), writes.clone()),
            Dependency::write_side(command_pool, writes),
            Dependency::lease(pool.clone()),
            Dependency::projection(pool.clone(), true, projector.writes.clone()),
            Dependency::publication(pool, nats, stream),
            Dependency::clock(),
        ],
    );
    let projecting = taskfold_projector::run(projector);
    parts.spawn("projector", async move { projecting.await.map_err(Into::into) });
    let router = routes(vec![commands, reads], health, Some(log), &mut parts);

    let address = listener.local_addr()?;
    here.serve(listener, router, &mut parts);
    banner::ready(address, &here);
    parts.run().await
}
