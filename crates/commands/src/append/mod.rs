//! The append: decided commands become events, numbered without gaps.

/// Commands that go into one call.
mod batch;
/// The database call.
mod call;
/// The loop that appends batches.
mod committer;
/// Effects of a decision beside its events.
mod effects;
/// One command that decides while all others wait.
mod exclusive;
/// The end of the log as this process knows it.
mod log_tail;
/// Metadata of events.
mod metadata;
/// Other processes that append.
mod other_appenders;
/// The queue of appending processes.
mod queue_lock;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use taskfold_domain::ids::{ProjectId, UserId};
use tokio::sync::oneshot;
use uuid::Uuid;

pub use self::committer::{Appender, committer};
use self::committer::{CALL, commit};
pub use self::effects::{Check, Effects, ExpectedVersion, Guard};
pub use self::queue_lock::QUEUE_LOCK;
use super::envelope::CommandError;

/// A decided command.
#[derive(Clone, Debug)]
pub struct Append {
    pub aggregate_type: &'static str,
    pub aggregate: Uuid,
    /// `None` for a team.
    pub project: Option<ProjectId>,
    pub actor: UserId,
    pub command_id: Uuid,
    pub fingerprint: Vec<u8>,
    /// The version that was decided on.
    pub expected: ExpectedVersion,
    pub occurred_at: Option<DateTime<Utc>>,
    pub traceparent: Option<String>,
    pub correlation_id: Option<Uuid>,
    pub causation_id: Option<Uuid>,
    pub effects: Effects,
    pub events: Vec<NewEvent>,
}

/// An event as it is stored.
#[derive(Clone, Debug, Default)]
pub struct NewEvent {
    pub event_type: String,
    pub event_version: String,
    /// JSON in which `{"$": n}` stands for word n.
    pub payload: String,
    /// People's words, taken out of the payload.
    pub words: Vec<String>,
    /// 16 random bytes for each of the words.
    pub salts: Vec<u8>,
}

impl Append {
    pub fn new(
        aggregate_type: &'static str,
        aggregate: Uuid,
        project: Option<ProjectId>,
        actor: UserId,
        command_id: Uuid,
    ) -> Self {
        Self {
            aggregate_type,
            aggregate,
            project,
            actor,
            command_id,
            fingerprint: Vec::new(),
            expected: ExpectedVersion { version: 0, command_id: None },
            occurred_at: None,
            traceparent: None,
            correlation_id: None,
            causation_id: None,
            effects: Effects::default(),
            events: Vec::new(),
        }
    }
}

/// Positions of a command in the log.
#[derive(Clone, Debug, Deserialize)]
pub struct Recorded {
    pub first_position: i64,
    pub last_position: i64,
    pub version: i64,
    pub aggregate_id: Uuid,
    pub created_id: Option<Uuid>,
    pub created: bool,
    pub recorded_at: DateTime<Utc>,
}

/// Result of an append for one command. See `migrations/append.sql`.
#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Appended(Recorded),
    Duplicate(Recorded),
    Reused,
    Conflict,
    Guard,
    Taken,
    Cycle,
    Rank,
    Wip,
    NotEmpty,
}

type Reply = oneshot::Sender<Result<Outcome, CommandError>>;
type Pending = (Append, Reply);
