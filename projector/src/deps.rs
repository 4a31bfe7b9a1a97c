//! Ready values that the program hands to the projector.

use std::sync::Arc;

use sqlx::PgPool;
use taskfold_event_log::Writes;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Ready values from the program.
#[derive(Clone)]
pub struct Deps {
    /// A name for this run of this process. The sessions of both pools have it in their application name, so that
    /// another projector can end them: see [`crate::sessions::application_name`].
    pub holder: Uuid,
    /// Connects as the role `taskfold_projector`.
    pub pool: PgPool,
    /// The same without the limits on statements and transactions, for rebuilding.
    pub maintenance: PgPool,
    pub nats: async_nats::Client,
    /// The JetStream stream's name; its subjects begin with the same in lower case.
    pub stream: String,
    /// Number of servers that keep the stream, when it is created.
    pub stream_replicas: usize,
    /// Outcome of the last projections.
    pub writes: Writes,
    /// Notified each time that publishing stays stuck on a replaced connection.
    pub stuck: Arc<Notify>,
    pub shutdown: CancellationToken,
}
