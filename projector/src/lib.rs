//! Make it known: the log into read tables, and from there onto the stream. No HTTP.

/// Going on with a log that was restored.
pub mod adopt;
/// Rows into PostgreSQL by COPY.
mod copy;
/// What is derived from rows.
pub mod derived;
/// What a field of a row is sent as.
mod field;
/// What each event does to the rows.
mod fold;
/// Read tables beside those that are read.
mod generation;
/// Projecting and publishing while the lease holds.
mod lead;
/// Which projector works.
mod lease;
/// An event as it is published.
mod message;
/// JetStream: every Change at the sequence that is its position.
mod publish;
/// Reading the read tables from the log anew.
pub mod rebuild;
/// The rows of the read tables.
mod rows;
/// Sessions of processes that have stopped without ending.
pub mod sessions;
/// Events that could not be projected, and trying them again.
pub mod set_aside;
/// One batch of events into the read tables, with the checkpoint, in one transaction.
pub mod step;
/// The stream in NATS.
pub mod stream;
/// The read tables, in memory and in PostgreSQL.
mod tables;
/// Transactions that a suspended process does not keep others waiting with.
mod transactions;
/// Proving that log, stream and read tables agree.
pub mod verify;
/// Which code wrote the read tables.
pub mod versions;
/// Tables that the append keeps beside the log.
pub mod write_side;

use std::sync::Arc;

use sqlx::PgPool;
use taskfold_event_log::Writes;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Ready values from the program.
#[derive(Clone)]
pub struct Deps {
    /// A name for this run of this process. The sessions of both pools have it in their application name, so that another projector
    /// can end them: see [`sessions::application_name`].
    pub holder: Uuid,
    /// Connects as the role `taskfold_projector`.
    pub pool: PgPool,
    /// The same without the limits on statements and transactions, for rebuilding.
    pub maintenance: PgPool,
    pub nats: async_nats::Client,
    /// The JetStream stream's name; its subjects begin with the same in lower case.
    pub stream: String,
    /// How many servers keep the stream, when it is made.
    pub stream_replicas: usize,
    /// What the last projections came to.
    pub writes: Writes,
    /// Told each time that publishing stays stuck on a connection that was made anew.
    pub stuck: Arc<Notify>,
    pub shutdown: CancellationToken,
}

/// What ends a projection or a check early.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the stream: {0}")]
    Stream(String),
    #[error(
        "the stream {0} is of another log: of this one before it was adopted, or of another system that shares the NATS server"
    )]
    OtherStream(String),
    #[error("{0}: `taskfold adopt` says with which log to go on")]
    Forked(String),
    #[error("rows and JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("another projector has moved the checkpoint")]
    CheckpointMoved,
    #[error("another version of Taskfold wrote the read tables")]
    OtherVersion,
    #[error("a later version of Taskfold wrote these read tables: {0}")]
    WrittenByLater(String),
    #[error("a rebuild is under way already")]
    Rebuilding,
    #[error("a transaction that reads does not end")]
    ReadersStay,
    #[error("there is no going back: {0}")]
    NoWayBack(String),
}

impl ProjectorError {
    /// Whether it says nothing of the events and rows that were at hand: trouble of the moment, another projector, another version. Whatever
    /// else fails is a fault of one event or row, and must stop no others.
    pub(crate) fn is_of_the_whole(&self) -> bool {
        match self {
            Self::Database(error) => taskfold_event_log::is_of_the_whole(error),
            Self::Json(_) => false,
            Self::Stream(_)
            | Self::OtherStream(_)
            | Self::Forked(_)
            | Self::CheckpointMoved
            | Self::OtherVersion
            | Self::WrittenByLater(_)
            | Self::Rebuilding
            | Self::ReadersStay
            | Self::NoWayBack(_) => true,
        }
    }
}

/// Stands by for the lease, and works while it holds it, until shutdown. Trouble with the database or the stream is
/// waited out.
pub async fn run(deps: Deps) -> Result<(), ProjectorError> {
    lead::run(deps).await;
    Ok(())
}
