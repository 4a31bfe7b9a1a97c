//! The command API: decides commands that arrive over HTTP, and appends their events. It does not use the read tables
//! or NATS.

/// HTTP routes.
mod http;

use std::sync::Arc;

use axum::middleware::{from_fn, from_fn_with_state};
use futures::FutureExt;
use sqlx::PgPool;
use taskfold_attachments::Store;
use taskfold_attachments::slots::Slots;
use taskfold_attachments::uploads::{Uploads, janitor};
use taskfold_commands::{Engine, reminders};
use taskfold_domain::limits::{Configured, IMPORT_FILES, IMPORT_FILES_PER_USER};
use taskfold_event_log::{Clock, LogIdentity, Writes};
use taskfold_imports::worker;
use taskfold_web::auth::{Signer, Verifier};
use taskfold_web::layers;
use taskfold_web::rate_limit::{self, RateLimits};
use taskfold_web::service::Service;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use http::accounts::{HashingSlots, SignInAttempts};
pub use http::accounts::{NewPassword, SignUp, Username};
use http::app::{App, AppState};

/// Values that the program provides.
pub struct Deps {
    /// Connects as the role `taskfold_command`.
    pub pool: PgPool,
    pub signer: Signer,
    pub verifier: Verifier,
    /// Store of the bytes of attachments.
    pub attachments: Store,
    pub limits: Configured,
    pub sign_up: SignUp,
    /// Outcome of the last appends.
    pub writes: Writes,
    /// Identity of the log.
    pub log: watch::Receiver<LogIdentity>,
    pub clock: Clock,
    pub shutdown: CancellationToken,
}

/// Routes and background tasks of the command API.
pub fn service(deps: Deps) -> Service {
    let (engine, committing) = Engine::new(deps.pool.clone(), deps.log, deps.writes, deps.clock.clone());
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let uploads = Uploads::new(deps.pool.clone(), deps.attachments, &deps.limits, deps.clock.clone());
    let cleaning = janitor::work(uploads.clone(), deps.shutdown.clone());
    let rates = RateLimits::new(&deps.limits);
    let app = App::from(AppState {
        engine,
        pool: deps.pool,
        signer: deps.signer,
        verifier: deps.verifier,
        hashing: HashingSlots::new(cores),
        sign_in_attempts: SignInAttempts::default(),
        sign_up: deps.sign_up,
        imports: Arc::default(),
        import_files: Slots::new(IMPORT_FILES, IMPORT_FILES_PER_USER),
        uploads,
        limits: deps.limits,
        clock: deps.clock,
    });
    let importing = worker::work(app.engine.clone(), app.pool.clone(), Arc::clone(&app.imports), deps.shutdown.clone());
    let reminding = reminders::work(app.engine.clone(), deps.shutdown);
    let (router, document) = http::router().split_for_parts();
    Service {
        router: router
            .layer((from_fn_with_state(rates, rate_limit::limit), from_fn(layers::vary_by_caller)))
            .with_state(app),
        document,
        background: vec![
            ("committer", committing.map(Ok).boxed()),
            ("imports", importing.map(Ok).boxed()),
            ("reminders", reminding.map(Ok).boxed()),
            ("attachments' janitor", cleaning.map(Ok).boxed()),
        ],
    }
}

/// The document, without a database.
pub fn document() -> utoipa::openapi::OpenApi {
    http::router().into_openapi()
}
