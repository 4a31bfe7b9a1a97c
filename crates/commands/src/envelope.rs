//! Circumstances of commands, their results and their errors.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use taskfold_domain::ids::{ProjectId, TaskId, UserId};
use taskfold_domain::task::Origin;
use taskfold_domain::{Precondition, Rank, Refusal, Timestamp};
use uuid::Uuid;

use super::invitations::MadeInvitation;

/// A command's circumstances: its author, id, conditions and origin.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub actor: UserId,
    pub command_id: Uuid,
    /// The caller chose the id, and so may send the command again.
    pub may_be_replayed: bool,
    /// Time of the command by its author's claim; without one, the time of recording.
    pub occurred_at: Option<Timestamp>,
    pub origin: Origin,
    pub precondition: Precondition,
    /// Project of a task that is created.
    pub project_id: Option<ProjectId>,
    /// Rank that an import gives to a created or moved task.
    pub rank: Option<Rank>,
    /// Task behind which a move goes, whatever neighbours the command names: a bulk command keeps the order of its tasks.
    pub behind: Option<TaskId>,
    pub traceparent: Option<String>,
    /// Conversation that the command belongs to.
    pub correlation_id: Option<Uuid>,
    /// Command or event that led to it.
    pub causation_id: Option<Uuid>,
    /// The only project that the caller's token is valid for.
    pub only: Option<ProjectId>,
    /// Invitation by which the actor joins a project.
    pub invitation: Option<MadeInvitation>,
}

impl Envelope {
    /// A command sent now under an id that may be sent again, without conditions.
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
            behind: None,
            traceparent: None,
            correlation_id: None,
            causation_id: None,
            only: None,
            invitation: None,
        }
    }
}

/// Result of a command that was applied, or changed nothing.
#[derive(Clone, Debug)]
pub struct Done {
    /// Id of the aggregate.
    pub id: Uuid,
    /// Id of a new comment, column, label, ... inside it.
    pub created_id: Option<Uuid>,
    /// The aggregate, or something inside it, was created.
    pub created: bool,
    pub version: u64,
    pub position: i64,
    /// Changes as JSON.
    pub events: Vec<Box<RawValue>>,
    /// The result is that of an earlier request under the same command id.
    pub replayed: bool,
}

/// Edits since the version that a command is based on, so that a client can show them and roll back without a request.
#[derive(Clone, Debug)]
pub struct VersionConflict {
    pub current_version: u64,
    pub base_version: u64,
    pub conflicting_fields: Vec<&'static str>,
    pub your_change: Value,
    /// Changes as JSON.
    pub conflicting_events: Vec<Value>,
}

/// Reason for which a command was not applied, or is not known to be.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("changed since version {}", .0.base_version)]
    Conflict(Box<VersionConflict>),
    #[error("the command id was used for another command")]
    KeyReused,
    /// Other commands on the aggregate won every attempt.
    #[error("too many commands on the same thing at once")]
    Contended,
    #[error("the log is not available: {0}")]
    Unavailable(String),
    /// The outcome is unknown: the command may have been appended. Sending it again under its id settles that.
    #[error("the command has no answer: {cause}")]
    Unanswered { command_id: Uuid, cause: String },
    /// A process has seen an event that the log lacks: it takes no commands until it is adopted.
    #[error("the log is suspended")]
    Suspended,
    /// The log was adopted under another id, which this process does not know yet.
    #[error("the log was adopted under another id")]
    OtherLog,
    /// This process has seen an event that the log lacks.
    #[error("the log lacks an event that was seen here")]
    Forked,
    /// One of the side tables of the append lacks a row for the aggregate.
    #[error("the side tables of the append are not complete")]
    Incomplete,
    #[error("the log cannot be read: {0}")]
    Broken(String),
    /// The caller's token is valid for one project, and the command would create another.
    #[error("the token is for one project")]
    OutOfScope,
}

impl CommandError {
    /// Name of the kind of error, for metrics and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Conflict(_) => "conflict",
            Self::KeyReused => "key_reused",
            Self::Contended => "contended",
            Self::Unavailable(_) => "unavailable",
            Self::Unanswered { .. } => "unanswered",
            Self::Suspended => "suspended",
            Self::OtherLog => "other_log",
            Self::Forked => "forked",
            Self::Incomplete => "incomplete",
            Self::Broken(_) => "broken",
            Self::OutOfScope => "out_of_scope",
        }
    }

    /// Returns `true` if the log may contain the command nevertheless, or may take it later; otherwise it was refused.
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
            Some(_) | None => {}
        }
        let unavailable = taskfold_event_log::is_unavailable(&error);
        if unavailable { Self::Unavailable(error.to_string()) } else { Self::Broken(error.to_string()) }
    }
}

/// Digest by which requests under one command id are told apart: of the decoded command and its target, not of the
/// bytes that were received.
pub fn fingerprint(target: Uuid, command: &impl Serialize) -> Vec<u8> {
    let words = serde_json::to_vec(&(target, command)).unwrap_or_default();
    Sha256::digest(&words)[..16].to_vec()
}

/// The `data` of a command as its caller sent it.
pub fn data_of(command: &impl Serialize) -> Value {
    match serde_json::to_value(command) {
        Ok(Value::Object(mut object)) => object.remove("data").unwrap_or_default(),
        Ok(_) | Err(_) => Value::Null,
    }
}
