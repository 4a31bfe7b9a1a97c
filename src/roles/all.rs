//! `taskfold`: all roles in one process on one port, with embedded servers unless others are set.

use taskfold_event_log::Writes;
use tokio::net::TcpListener;

use crate::databases::DatabaseRole;
use crate::health::{Dependency, Service};
use crate::lifecycle::Components;
use crate::program::{Environment, Program};
use crate::server::routes::routes;
use crate::servers::{Needs, Sharing};
use crate::{attachments, banner, keys};

/// Needs of this role.
const NEEDS: Needs = Needs {
    sharing: Sharing::Alone,
    roles: &[DatabaseRole::Command, DatabaseRole::Query, DatabaseRole::Feed, DatabaseRole::Projector],
    owner: true,
    nats: true,
};

pub async fn run(program: Program) -> anyhow::Result<()> {
    banner::starting(&program.settings);
    let listener = program.listen().await?;
    program.with_servers(NEEDS, |environment| serve(environment, listener)).await
}

/// Migrates the schema, and serves until shutdown.
pub async fn serve(mut environment: Environment, listener: TcpListener) -> anyhow::Result<()> {
    environment.migrate().await?;
    let Program { clock, shutdown, .. } = environment.program.clone();
    let mut components = Components::new(shutdown.clone());
    let command_pool = environment.pool(DatabaseRole::Command).await?;
    let signer = keys::signer(&command_pool, clock.clone()).await?;
    components.spawn("signing key", keys::keep_signing(signer.clone(), command_pool.clone(), shutdown.clone()));
    let log = environment.log(&command_pool, &mut components).await?;
    let verifier = environment.verifier(&command_pool, &mut components).await?;
    let nats = environment.nats().await?;
    let stream = environment.program.settings.stream.clone();

    let attachments = attachments::store(&environment.program.settings.attachments.location)?;

    let writes = Writes::default();
    let commands = taskfold_command_api::service(taskfold_command_api::Deps {
        pool: command_pool.clone(),
        signer,
        verifier: verifier.clone(),
        attachments: attachments.clone(),
        limits: environment.program.settings.limits.callers,
        sign_up: environment.program.settings.accounts.sign_up,
        writes: writes.clone(),
        log: log.clone(),
        clock: clock.clone(),
        shutdown: shutdown.clone(),
    });
    let reads = taskfold_query_api::service(taskfold_query_api::Deps {
        pool: environment.pool(DatabaseRole::Query).await?,
        feed_pool: environment.pool(DatabaseRole::Feed).await?,
        nats: Some(nats.clone()),
        stream: stream.clone(),
        verifier,
        limits: environment.program.settings.limits.callers,
        attachments: attachments.clone(),
        log: log.clone(),
        clock: clock.clone(),
        shutdown,
    })?;
    let projector = environment.projector().await?;
    environment.restart_stuck_nats(&mut components);
    let pool = projector.pool.clone();
    let health = environment.health(
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
            Dependency::clock(clock.clone()),
        ],
        &mut components,
    )?;
    let projecting = taskfold_projector::run(projector);
    components.spawn("projector", async move { projecting.await.map_err(Into::into) });
    let router = routes(vec![commands, reads], health, Some(log), clock, &mut components);

    let address = listener.local_addr()?;
    environment.serve(listener, router, &mut components);
    banner::ready(address, &environment);
    components.run().await
}
