//! Ask what is: the read tables, the log and the live stream, over HTTP. Cannot write events.

/// HTTP in.
mod http;

use std::num::NonZeroU32;
use std::time::Duration;

use axum::middleware::from_fn;
use futures::FutureExt;
use sqlx::PgPool;
use taskfold_attachments::Store;
use taskfold_event_log::{LogIdentity, PROJECTED_CHANNEL, watch_positions};
use taskfold_web::auth::Verifier;
use taskfold_web::layers;
use taskfold_web::service::Service;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::http::app::{App, Parts};
use crate::http::streams::elsewhere::{self, Peers};
use taskfold_live::{Feeder, Hub, Places, Presence, Writers, drain};

/// Ready values from the program.
pub struct Deps {
    /// Connects as the role `taskfold_query`, which sees what the caller of a request may see.
    pub pool: PgPool,
    /// Connects as the role `taskfold_feed`, for the live feed.
    pub feed_pool: PgPool,
    /// Without it, live streams read the log instead.
    pub nats: Option<async_nats::Client>,
    /// The name of the JetStream stream, such as `TASKFOLD`.
    pub stream: String,
    pub verifier: Verifier,
    /// How long a device is there after its last heartbeat; the same on every instance.
    pub presence_ttl: Duration,
    /// How many streams one person may have open on this instance.
    pub streams_per_user: NonZeroU32,
    /// Where the bytes of attachments are.
    pub attachments: Store,
    /// Which log it is.
    pub log: watch::Receiver<LogIdentity>,
    pub shutdown: CancellationToken,
}

/// The query-api, and what keeps it current beside it.
/// Fails when no thread can be had.
pub fn service(deps: Deps) -> std::io::Result<Service> {
    let (projected_sender, projected) = watch::channel(0);
    // Streams end one after the other, and what feeds them after that.
    let drained = CancellationToken::new();
    let watching = watch_positions(deps.pool.clone(), PROJECTED_CHANNEL, projected_sender, drained.clone());
    let hub = Hub::new(deps.feed_pool, deps.log.clone(), Places::new(deps.streams_per_user), Writers::start()?);
    let presence = Presence::new(deps.nats.clone(), deps.stream.clone(), deps.presence_ttl);
    let keeping = presence.clone().run(hub.clone(), drained.clone());
    let prefix = deps.stream.to_ascii_lowercase();
    let peers = deps.nats.clone().map(|client| Peers { client, prefix });
    let feeder = Feeder::new(hub.clone(), projected.clone(), deps.log, deps.nats, deps.stream, drained.clone());
    let draining = drain::watch(hub.clone(), deps.shutdown.clone(), drained);
    let app = App::from(Parts {
        pool: deps.pool,
        verifier: deps.verifier,
        projected,
        hub,
        presence,
        peers,
        attachments: deps.attachments,
        shutdown: deps.shutdown,
    });
    let changing = elsewhere::serve(app.clone());
    let (router, document) = http::router().split_for_parts();
    Ok(Service {
        router: router.layer(from_fn(layers::vary_by_caller)).with_state(app),
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

/// The document alone, without a database.
pub fn document() -> utoipa::openapi::OpenApi {
    http::router().into_openapi()
}
