//! Events as the log stores them, and the Changes made from them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use taskfold_domain::change::{Subject, nats_subject};
use taskfold_domain::ids::ProjectId;
use taskfold_domain::{Event, SubjectKind, Timestamp};
use uuid::Uuid;

use crate::stored_time::StoredTime;
use crate::words::with_words;

/// Columns of `events` that make a [`LoggedEvent`], for `query_as!`:
///
/// ```sql
/// SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
///        words AS "words: _", project_id, actor_id, command_id, occurred_at AS "occurred_at: _",
///        recorded_at AS "recorded_at: _", traceparent
/// FROM events
/// ```
///
/// The payload is read as text: PostgreSQL's functions for JSON fail on escapes of characters that do not exist, and
/// with them the statement for all other rows.
#[derive(Debug)]
pub struct EventRow {
    pub position: i64,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    pub payload: String,
    /// Words of the payload, which are stored apart from it; `None` within for an erased one.
    pub words: Option<Vec<Option<String>>>,
    pub project_id: Option<Uuid>,
    pub actor_id: Uuid,
    pub command_id: Uuid,
    pub occurred_at: StoredTime,
    pub recorded_at: StoredTime,
    pub traceparent: Option<String>,
}

/// An event of the log.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    pub position: i64,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    /// JSON with `type` and `changes`, as it was written, with its words.
    pub payload: String,
    /// `None` for a team, which belongs to no project.
    pub project_id: Option<Uuid>,
    pub actor_id: Uuid,
    pub command_id: Uuid,
    pub occurred_at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
    pub traceparent: Option<String>,
}

/// Never fails, whatever the row contains: one bad row must not keep the others from being read.
impl From<EventRow> for LoggedEvent {
    fn from(row: EventRow) -> Self {
        Self {
            position: row.position,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            sequence: row.sequence,
            event_type: row.event_type,
            event_version: row.event_version,
            payload: with_words(row.payload, &row.words.unwrap_or_default()),
            project_id: row.project_id,
            actor_id: row.actor_id,
            command_id: row.command_id,
            occurred_at: row.occurred_at.into(),
            recorded_at: row.recorded_at.into(),
            traceparent: row.traceparent,
        }
    }
}

/// An event of the log that breaks the rules of its table.
#[derive(Debug, thiserror::Error)]
#[error("events, position {position}, column {column}: {problem}")]
pub struct LogError {
    pub position: i64,
    pub column: &'static str,
    pub problem: String,
}

/// A Change for sending: the same JSON, to the byte, as [`taskfold_domain::Change`], with `changes` passed through
/// unparsed.
#[derive(Clone, Debug, Serialize)]
pub struct RawChange<'a> {
    pub position: i64,
    pub version: i64,
    pub project_id: Option<Uuid>,
    pub subject: Subject,
    pub actor_id: Uuid,
    pub command_id: Uuid,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
    pub r#type: &'a str,
    pub changes: &'a RawValue,
}

impl LoggedEvent {
    pub fn subject(&self) -> Result<Subject, LogError> {
        let kind = SubjectKind::from_aggregate_type(&self.aggregate_type)
            .ok_or_else(|| self.error("aggregate_type", format!("unknown aggregate type {}", self.aggregate_type)))?;
        let id = self.aggregate_id.parse().map_err(|_| self.error("aggregate_id", "not a UUID".to_owned()))?;
        Ok(Subject { kind, id })
    }

    /// The decoded event, for folding.
    pub fn event(&self) -> Result<Event, LogError> {
        // An unknown aggregate type has unknown events only, and the error says so.
        let kind = self.subject().map_or(SubjectKind::Task, |subject| subject.kind);
        let decode = |json: &str| Event::decode(kind, &mut serde_json::Deserializer::from_str(json));
        if let Ok(event) = decode(&self.payload)
            && event.name() == self.event_type
        {
            return Ok(event);
        }
        // The column decides on the type, if the payload has another one.
        #[derive(Serialize)]
        struct Payload<'a> {
            r#type: &'a str,
            changes: &'a RawValue,
        }
        let payload = Payload { r#type: &self.event_type, changes: self.raw_changes()? };
        serde_json::to_string(&payload).and_then(|json| decode(&json)).map_err(|e| self.error("payload", e.to_string()))
    }

    pub fn change(&self) -> Result<RawChange<'_>, LogError> {
        Ok(RawChange {
            position: self.position,
            r#type: &self.event_type,
            version: self.sequence,
            project_id: self.project_id,
            subject: self.subject()?,
            actor_id: self.actor_id,
            command_id: self.command_id,
            occurred_at: self.occurred_at.into(),
            recorded_at: self.recorded_at.into(),
            changes: self.raw_changes()?,
        })
    }

    /// The Change as JSON text.
    pub fn change_json(&self) -> Result<String, LogError> {
        serde_json::to_string(&self.change()?).map_err(|e| self.error("payload", e.to_string()))
    }

    /// NATS subject of the event, under `prefix`. An event whose columns make no valid subject has one that is
    /// nobody's.
    pub fn nats_subject(&self, prefix: &str) -> String {
        let is_name = self.event_type.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
        let tokens_are_full = !self.event_type.is_empty() && !self.event_type.split('.').any(str::is_empty);
        match self.subject() {
            Ok(subject) if is_name && tokens_are_full => {
                nats_subject(prefix, self.project_id.map(ProjectId), subject, &self.event_type)
            }
            Ok(_) | Err(_) => format!("{prefix}.events._._._.unreadable"),
        }
    }

    fn raw_changes(&self) -> Result<&RawValue, LogError> {
        #[derive(Deserialize)]
        struct Payload<'a> {
            #[serde(borrow)]
            changes: &'a RawValue,
        }
        let payload: Result<Payload<'_>, _> = serde_json::from_str(&self.payload);
        payload.map(|payload| payload.changes).map_err(|e| self.error("payload", e.to_string()))
    }

    fn error(&self, column: &'static str, problem: String) -> LogError {
        LogError { position: self.position, column, problem }
    }
}
