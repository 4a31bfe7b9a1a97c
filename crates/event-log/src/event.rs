use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use taskfold_domain::change::{Subject, nats_subject};
use taskfold_domain::ids::ProjectId;
use taskfold_domain::{Event, SubjectKind, Timestamp};
use uuid::Uuid;

use crate::stored::{PayloadText, StoredTime};

/// One row of `events`. `changes` is kept as the text that was written.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    pub position: i64,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    /// Of the payload; absent in a row that nobody of ours wrote.
    pub changes: Option<String>,
    /// None for a team, which belongs to no project.
    pub project_id: Option<Uuid>,
    pub actor_id: Uuid,
    pub command_id: Uuid,
    pub occurred_at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
    pub traceparent: Option<String>,
}

impl FromRow<'_, PgRow> for LoggedEvent {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let payload: PayloadText = row.try_get("payload")?;
        let words: Option<Vec<Option<String>>> = row.try_get("words")?;
        let (occurred_at, recorded_at): (StoredTime, StoredTime) =
            (row.try_get("occurred_at")?, row.try_get("recorded_at")?);
        Ok(Self {
            position: row.try_get("position")?,
            aggregate_type: row.try_get("aggregate_type")?,
            aggregate_id: row.try_get("aggregate_id")?,
            sequence: row.try_get("sequence")?,
            event_type: row.try_get("event_type")?,
            event_version: row.try_get("event_version")?,
            changes: payload.changes(&words.unwrap_or_default()),
            project_id: row.try_get("project_id")?,
            actor_id: row.try_get("actor_id")?,
            command_id: row.try_get("command_id")?,
            occurred_at: occurred_at.into(),
            recorded_at: recorded_at.into(),
            traceparent: row.try_get("traceparent")?,
        })
    }
}

/// A row of the log that breaks its rules: which, and how.
#[derive(Debug, thiserror::Error)]
#[error("events, position {position}, column {column}: {problem}")]
pub struct LogError {
    pub position: i64,
    pub column: &'static str,
    pub problem: String,
}

/// A Change as it is sent: the same JSON, to the byte, as [`taskfold_domain::Change`], its `changes` passed through unread.
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
            .ok_or_else(|| self.error("aggregate_type", format!("no such aggregate: {}", self.aggregate_type)))?;
        let id = self.aggregate_id.parse().map_err(|_| self.error("aggregate_id", "no UUID".to_owned()))?;
        Ok(Subject { kind, id })
    }

    /// The typed event, for those who fold it.
    pub fn event(&self) -> Result<Event, LogError> {
        #[derive(Serialize)]
        struct Payload<'a> {
            r#type: &'a str,
            changes: &'a RawValue,
        }
        let payload = Payload { r#type: &self.event_type, changes: self.raw_changes()? };
        let decode = || {
            let json = serde_json::to_string(&payload)?;
            let mut json = serde_json::Deserializer::from_str(&json);
            // Where the aggregate is unknown, its event is unknown too, and the error says so.
            let kind = self.subject().map_or(SubjectKind::Task, |subject| subject.kind);
            Event::decode(kind, &mut json)
        };
        decode().map_err(|e| self.error("payload", e.to_string()))
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

    /// Where it is published, under `prefix`. What is no subject of ours is published where nobody's Changes are.
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
        let text = self.changes.as_deref().ok_or_else(|| self.error("payload", "no `changes`".to_owned()))?;
        serde_json::from_str(text).map_err(|e| self.error("payload", e.to_string()))
    }

    fn error(&self, column: &'static str, problem: String) -> LogError {
        LogError { position: self.position, column, problem }
    }
}
