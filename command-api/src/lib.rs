//! Ask for a change: HTTP in, events appended. Knows nothing of read tables or NATS.

/// HTTP in.
mod http;

use std::sync::Arc;

use axum::middleware::from_fn;
use futures::FutureExt;
use sqlx::PgPool;
use taskfold_attachments::Store;
use taskfold_event_log::{LogIdentity, Writes};
use taskfold_web::auth::{Signer, Verifier};
use taskfold_web::layers;
use taskfold_web::service::Service;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use http::app::{App, Parts};
use taskfold_attachments::uploads::{Uploads, janitor};
use taskfold_commands::{Engine, reminders};
use taskfold_imports::worker;

/// Ready values from the program.
pub struct Deps {
    /// Connects as the role `taskfold_command`.
    pub pool: PgPool,
    pub signer: Signer,
    pub verifier: Verifier,
    /// Where the bytes of attachments go.
    pub attachments: Store,
    /// Of one attachment, at most.
    pub attachment_bytes: u64,
    /// Outcome of the last appends.
    pub writes: Writes,
    /// Which log it is.
    pub log: watch::Receiver<LogIdentity>,
    pub shutdown: CancellationToken,
}

/// The command-api, and its committer to be run beside it.
pub fn service(deps: Deps) -> Service {
    let (engine, committing) = Engine::new(deps.pool.clone(), deps.log, deps.writes);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let uploads = Uploads::new(deps.pool.clone(), deps.attachments, deps.attachment_bytes);
    let cleaning = janitor::work(uploads.clone(), deps.shutdown.clone());
    let app = App::from(Parts {
        engine,
        pool: deps.pool,
        signer: deps.signer,
        verifier: deps.verifier,
        hashing: Arc::new(Semaphore::new(cores)),
        imports: Arc::default(),
        uploads,
    });
    let importing = worker::work(app.engine.clone(), app.pool.clone(), Arc::clone(&app.imports), deps.shutdown.clone());
    let reminding = reminders::work(app.engine.clone(), deps.shutdown);
    let (router, document) = http::router().split_for_parts();
    Service {
        router: router.layer(from_fn(layers::vary_by_caller)).with_state(app),
        document,
        background: vec![
            ("committer", committing.map(Ok).boxed()),
            ("imports", importing.map(Ok).boxed()),
            ("reminders", reminding.map(Ok).boxed()),
            ("attachments' janitor", cleaning.map(Ok).boxed()),
        ],
    }
}

/// The document alone, without a database.
pub fn document() -> utoipa::openapi::OpenApi {
    http::router().into_openapi()
}
