//! The query API: serves the read tables, the log and the live streams over HTTP. Cannot append events.

/// HTTP routes.
mod http;

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use axum::middleware::{from_fn, from_fn_with_state};
use futures::FutureExt;
use sqlx::PgPool;
use taskfold_attachments::Store;
use taskfold_domain::limits::Configured;
use taskfold_event_log::{Clock, LogIdentity, WatchedPosition, watch_positions};
use taskfold_web::auth::Verifier;
use taskfold_web::layers;
use taskfold_web::rate_limit::{self, RateLimits};
use taskfold_web::service::Service;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::http::app::{App, AppState};
use crate::http::streams::peers::Peers;
use crate::http::streams::remote;
use taskfold_live::{Feeder, Hub, Presence, StreamQuotas, WriterThreads, drain};

/// Resources that the program provides.
pub struct Deps {
    /// Pool of the role `taskfold_query`, which sees what the caller of a request may see.
    pub pool: PgPool,
    /// Pool of the role `taskfold_feed`, for the live feed.
    pub feed_pool: PgPool,
    /// `None` makes live streams read the log.
    pub nats: Option<async_nats::Client>,
    /// Name of the JetStream stream, such as `TASKFOLD`.
    pub stream: String,
    pub verifier: Verifier,
    /// The same on every instance.
    pub limits: Configured,
    /// Store of the content of attachments.
    pub attachments: Store,
    /// Identity of the log.
    pub log: watch::Receiver<LogIdentity>,
    pub clock: Clock,
    pub shutdown: CancellationToken,
}

/// Builds the query API and its background tasks. Fails if no thread can be started.
pub fn service(deps: Deps) -> std::io::Result<Service> {
    let (projected_sender, projected) = watch::channel(0);
    // Cancelled when the streams have ended: the tasks that feed them run until then.
    let drained = CancellationToken::new();
    let watching = watch_positions(deps.pool.clone(), WatchedPosition::Projected, projected_sender, drained.clone());
    let hub = Hub::new(
        deps.feed_pool,
        deps.log.clone(),
        StreamQuotas::new(deps.limits.streams_per_user),
        WriterThreads::start()?,
        deps.clock.clone(),
    );
    let presence_ttl = Duration::from_secs(deps.limits.presence_seconds.into());
    let presence = Presence::new(deps.nats.clone(), deps.stream.clone(), presence_ttl);
    let keeping = presence.clone().run(hub.clone(), drained.clone());
    let prefix = deps.stream.to_ascii_lowercase();
    let peers = deps.nats.clone().map(|client| Peers { client, prefix });
    let feeder = Feeder::new(hub.clone(), projected.clone(), deps.log.clone(), deps.nats, deps.stream, drained.clone());
    let draining = drain::watch(hub.clone(), deps.shutdown.clone(), drained);
    let rates = RateLimits::new(&deps.limits);
    let app = App::from(AppState {
        pool: deps.pool,
        verifier: deps.verifier,
        projected,
        stalled_at: AtomicI64::new(-1),
        hub,
        presence,
        peers,
        attachments: deps.attachments,
        limits: deps.limits,
        log: deps.log,
        clock: deps.clock,
        shutdown: deps.shutdown,
    });
    let changing = remote::serve(app.clone());
    let (router, document) = http::router().split_for_parts();
    Ok(Service {
        router: router
            .layer((from_fn_with_state(rates, rate_limit::limit), from_fn(layers::vary_by_caller)))
            .with_state(app),
        document,
        background: vec![
            ("projected positions", watching.map(Ok).boxed()),
            ("changes of streams", changing.map(Ok).boxed()),
            ("the end of streams", draining.map(Ok).boxed()),
            ("live feed", feeder.run().map(Ok).boxed()),
            ("presence", keeping.map(Ok).boxed()),
        ],
    })
}

/// Builds the OpenAPI document, without a database.
pub fn document() -> utoipa::openapi::OpenApi {
    http::router().into_openapi()
}
