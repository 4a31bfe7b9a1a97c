//! `taskfold command-api`: takes commands. Knows nothing of NATS.

use taskfold_event_log::Writes;
use tokio::net::TcpListener;

use crate::databases::DatabaseRole;
use crate::health::{Dependency, Service};
use crate::lifecycle::Parts;
use crate::program::{Program, Site};
use crate::server::routes::routes;
use crate::servers::{Needs, Sharing};
use crate::{attachments, banner, keys, migrate};

/// What this role needs of the servers.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, parts: &[DatabaseRole::Command], owner: false, nats: false };

pub async fn run(program: Program) -> anyhow::Result<()> {
    let listener = program.listen().await?;
    program.with_servers(NEEDS, |site| serve(site, listener)).await
}

async fn serve(mut here: Site, listener: TcpListener) -> anyhow::Result<()> {
    let shutdown = here.program.shutdown.clone();
    let mut parts = Parts::new(shutdown.clone());
    let pool = here.pool(DatabaseRole::Command).await?;
    migrate::check(&pool).await?;
    let signer = keys::signer(&pool).await?;
    let log = here.log(&pool, &mut parts).await?;
    let verifier = here.verifier(&pool, &mut parts).await?;
    let store = attachments::store(&here.program.settings.attachments.place)?;
    let writes = Writes::default();
    let health = here.health(
        &[Service::Commands],
        [
            Dependency::postgres(pool.clone()),
            Dependency::attachments(store.clone()),
            Dependency::log(pool.clone(), writes.clone()),
            Dependency::write_side(pool.clone(), writes.clone()),
            Dependency::clock(),
        ],
    );
    let commands = taskfold_command_api::service(taskfold_command_api::Deps {
        pool,
        signer,
        verifier,
        attachments: store,
        attachment_bytes: here.program.settings.attachments.bytes,
        writes,
        log: log.clone(),
        shutdown,
    });
    let router = routes(vec![commands], health, Some(log), &mut parts);
    let address = listener.local_addr()?;
    here.serve(listener, router, &mut parts);
    banner::listening("command-api", address);
    parts.run().await
}
