use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::task::Origin;
use taskfold_domain::{Precondition, Rank, Refusal, Role, Timestamp};
use uuid::Uuid;

/// What a command brings along beside its own words.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub actor: UserId,
    pub command_id: Uuid,
    /// Whether the caller chose the id, and so may send it again.
    pub may_be_replayed: bool,
    /// The author's claim of when; without it, when it is recorded.
    pub occurred_at: Option<Timestamp>,
    pub origin: Origin,
    pub precondition: Precondition,
    /// For creating a task: where.
    pub project_id: Option<ProjectId>,
    /// The import's own rank for a created or moved task.
    pub rank: Option<Rank>,
    pub traceparent: Option<String>,
    /// The conversation that the command belongs to, and the command or event that led to it.
    pub correlation_id: Option<Uuid>,
    pub causation_id: Option<Uuid>,
    /// The one project that the caller's token is for.
    pub only: Option<ProjectId>,
    /// For joining a project: what an invitation that was checked lets the actor become.
    pub invited: Option<Role>,
}

impl Envelope {
    /// Sent just now under an id that may be sent again, with nothing else beside it.
    pub fn new(actor: UserId, command_id: Uuid) -> Self {
        Self {
            actor,
            command_id,
            may_be_replayed: true,
            occurred_at: None,
            origin: Origin::Live,
            precondition: Precondition::None,
            project_id: None,
            rank: None,
            traceparent: None,
            correlation_id: None,
            causation_id: None,
            only: None,
            invited: None,
        }
    }
}

/// What came of a command.
#[derive(Clone, Debug)]
pub struct Done {
    /// Of the aggregate.
    pub id: Uuid,
    /// Of a new comment, column, label, ... inside it.
    pub created_id: Option<Uuid>,
    /// Whether the aggregate, or something inside it, was made.
    pub created: bool,
    pub version: u64,
    pub position: i64,
    /// The Changes, as JSON.
    pub events: Vec<Box<RawValue>>,
    /// Whether this answer was given before, to the same command id.
    pub replayed: bool,
}

/// What got in between, so that a client can show it and roll back without a request.
#[derive(Clone, Debug)]
pub struct VersionConflict {
    pub current_version: u64,
    pub base_version: u64,
    pub conflicting_fields: Vec<&'static str>,
    pub your_change: Value,
    /// Changes, as JSON.
    pub conflicting_events: Vec<Value>,
}

/// Why nothing came of a command.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("changed since version {}", .0.base_version)]
    Conflict(Box<VersionConflict>),
    #[error("the command id was used for another command")]
    KeyReused,
    /// Others were faster, again and again.
    #[error("too many commands on the same thing at once")]
    Contended,
    #[error("the log is not available: {0}")]
    Unavailable(String),
    /// What came of it is not known: it may have been appended. The same command id again says so.
    #[error("the command has no answer: {cause}")]
    Unanswered { command_id: Uuid, cause: String },
    /// Somebody has seen an event that the log lacks, and it takes no commands until it is adopted.
    #[error("the log is suspended")]
    Suspended,
    /// It was adopted, and what is known of it here is of before.
    #[error("the log was adopted under another id")]
    OtherLog,
    /// This process has seen an event that the log lacks.
    #[error("the log lacks an event that was seen here")]
    Forked,
    /// The tables that the append decides on beside the log lack a row of what the command is about.
    #[error("the append's own tables are not complete")]
    Incomplete,
    #[error("the log cannot be read: {0}")]
    Broken(String),
    /// The caller's token is for another project than the one to be made.
    #[error("the token is for one project")]
    OutOfScope,
}

impl CommandError {
    /// Whether the log may have the command all the same, or may take it later. Otherwise it was refused.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Conflict(_) | Self::KeyReused | Self::Contended | Self::OutOfScope => false,
            Self::Unavailable(_)
            | Self::Unanswered { .. }
            | Self::Suspended
            | Self::OtherLog
            | Self::Forked
            | Self::Incomplete
            | Self::Broken(_) => true,
        }
    }
}

impl CommandError {
    /// The same error for another command of a batch that failed as a whole.
    pub(crate) fn for_another(&self) -> Self {
        match self {
            Self::Broken(cause) => Self::Broken(cause.clone()),
            Self::Suspended => Self::Suspended,
            Self::OtherLog => Self::OtherLog,
            Self::Forked => Self::Forked,
            Self::Incomplete => Self::Incomplete,
            Self::Unavailable(cause) => Self::Unavailable(cause.clone()),
            Self::Refused(_)
            | Self::Conflict(_)
            | Self::KeyReused
            | Self::Contended
            | Self::Unanswered { .. }
            | Self::OutOfScope => Self::Unavailable(self.to_string()),
        }
    }
}

impl From<sqlx::Error> for CommandError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        match code.as_deref() {
            Some(taskfold_event_log::SUSPENDED) => return Self::Suspended,
            Some(taskfold_event_log::OTHER_LOG) => return Self::OtherLog,
            Some(taskfold_event_log::FORKED) => return Self::Forked,
            Some(taskfold_event_log::INCOMPLETE) => return Self::Incomplete,
            _ => {}
        }
        let unavailable = taskfold_event_log::is_unavailable(&error);
        if unavailable { Self::Unavailable(error.to_string()) } else { Self::Broken(error.to_string()) }
    }
}

/// Tells one request from another under the same command id: of the command's words and its target, not of the bytes
/// they came in.
pub fn fingerprint(target: Uuid, command: &impl Serialize) -> Vec<u8> {
    let words = serde_json::to_vec(&(target, command)).unwrap_or_default();
    Sha256::digest(&words)[..16].to_vec()
}

/// The `data` of a command, as its caller sent it.
pub fn data_of(command: &impl Serialize) -> Value {
    match serde_json::to_value(command) {
        Ok(Value::Object(mut object)) => object.remove("data").unwrap_or_default(),
        _ => Value::Null,
    }
}
