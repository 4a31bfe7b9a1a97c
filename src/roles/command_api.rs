//! `taskfold command-api`: serves commands. It does not use NATS.

use taskfold_event_log::Writes;
use tokio::net::TcpListener;

use crate::databases::DatabaseRole;
use crate::health::{Dependency, Service};
use crate::lifecycle::Components;
use crate::program::{Environment, Program};
use crate::server::routes::routes;
use crate::servers::{Needs, Sharing};
use crate::{attachments, banner, keys, migrate};

/// Needs of this role.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, roles: &[DatabaseRole::Command], owner: false, nats: false };

pub async fn run(program: Program) -> anyhow::Result<()> {
    let listener = program.listen().await?;
    program.with_servers(NEEDS, |environment| serve(environment, listener)).await
}

async fn serve(mut environment: Environment, listener: TcpListener) -> anyhow::Result<()> {
    let Program { clock, shutdown, .. } = environment.program.clone();
    let mut components = Components::new(shutdown.clone());
    let pool = environment.pool(DatabaseRole::Command).await?;
    migrate::check(&pool).await?;
    let signer = keys::signer(&pool, clock.clone()).await?;
    components.spawn("signing key", keys::keep_signing(signer.clone(), pool.clone(), shutdown.clone()));
    let log = environment.log(&pool, &mut components).await?;
    let verifier = environment.verifier(&pool, &mut components).await?;
    let store = attachments::store(&environment.program.settings.attachments.location)?;
    let writes = Writes::default();
    let health = environment.health(
        &[Service::Commands],
        [
            Dependency::postgres(pool.clone()),
            Dependency::attachments(store.clone()),
            Dependency::log(pool.clone(), writes.clone()),
            Dependency::write_side(pool.clone(), writes.clone()),
            Dependency::clock(clock.clone()),
        ],
        &mut components,
    )?;
    let commands = taskfold_command_api::service(taskfold_command_api::Deps {
        pool,
        signer,
        verifier,
        attachments: store,
        limits: environment.program.settings.limits.callers,
        sign_up: environment.program.settings.accounts.sign_up,
        writes,
        log: log.clone(),
        clock: clock.clone(),
        shutdown,
    });
    let router = routes(vec![commands], health, Some(log), clock, &mut components);
    let address = listener.local_addr()?;
    environment.serve(listener, router, &mut components);
    banner::listening("command-api", address);
    components.run().await
}
