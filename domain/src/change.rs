//! A Change: one event as callers see it, in replies, in the feed, on SSE and on NATS.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Timestamp;
use crate::aggregates::{Event, SubjectKind};
use crate::ids::{ProjectId, UserId};

/// Aggregate that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Subject {
    pub kind: SubjectKind,
    pub id: Uuid,
}

/// One event: what changed, from what to what, by whom and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Number in the log, which is also the JetStream sequence, the SSE `id:` and the `since` cursor.
    #[schema(example = 1042)]
    pub position: u64,
    /// Version of the aggregate after it.
    #[schema(example = 7)]
    pub version: u64,
    /// Null for a team, which belongs to no project.
    pub project_id: Option<ProjectId>,
    pub subject: Subject,
    pub actor_id: UserId,
    pub command_id: Uuid,
    /// Time at which it happened by its author's account; equal to `recorded_at` unless imported or sent late.
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
    #[serde(flatten)]
    pub event: Event,
}

/// NATS header of a Change that was larger than the server's `max_payload`: its `changes` are left out, the log has
/// them.
pub const TRUNCATED_HEADER: &str = "Taskfold-Truncated";

/// Token of a NATS subject that replaces the project, for a team.
const NO_PROJECT: &str = "_";

/// NATS subject of a Change: `<prefix>.events.<project_id>.<kind>.<id>.<event>`, with `_` for no project.
pub fn nats_subject(prefix: &str, project_id: Option<ProjectId>, subject: Subject, event_type: &str) -> String {
    let event = event_type.split_once('.').map_or(event_type, |(_, event)| event);
    let project = project_id.map_or_else(|| NO_PROJECT.to_owned(), |id| id.to_string());
    format!("{prefix}.events.{project}.{}.{}.{event}", subject.kind.as_str(), subject.id)
}
