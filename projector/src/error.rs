//! Errors that end a projection or a check early.

/// Error that ends a projection or a check early.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("stream: {0}")]
    Stream(String),
    #[error(
        "the stream {0} belongs to another log: to this one before it was adopted, or to another system that shares the NATS server"
    )]
    OtherStream(String),
    #[error("{0}: run `taskfold adopt` to continue with this log")]
    Forked(String),
    #[error(
        "the message at {position} of the stream {stream} is not the log's event: run `taskfold adopt` if the log was \
         restored to an earlier state, else delete the stream, and it is published again from the log"
    )]
    ForeignMessage { stream: String, position: i64 },
    #[error("conversion between rows and JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("another projector has moved the checkpoint")]
    CheckpointMoved,
    #[error("another version of Taskfold wrote the read tables")]
    OtherVersion,
    #[error("a later version of Taskfold wrote these read tables: {0}")]
    WrittenByLater(String),
    #[error("another rebuild is running")]
    Rebuilding,
    #[error("a transaction that reads has not ended in time")]
    ReadersStay,
    #[error("cannot switch back: {0}")]
    NoWayBack(String),
}

impl ProjectorError {
    /// Tells errors that say nothing about the events and rows at hand (a passing trouble, another projector, another
    /// version) from faults of one event or row, which must stop no others.
    pub(crate) fn is_of_the_whole(&self) -> bool {
        match self {
            Self::Database(error) => taskfold_event_log::is_of_the_whole(error),
            Self::Json(_) => false,
            Self::Stream(_)
            | Self::OtherStream(_)
            | Self::Forked(_)
            | Self::ForeignMessage { .. }
            | Self::CheckpointMoved
            | Self::OtherVersion
            | Self::WrittenByLater(_)
            | Self::Rebuilding
            | Self::ReadersStay
            | Self::NoWayBack(_) => true,
        }
    }
}
