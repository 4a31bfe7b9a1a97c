//! Conflicts between a command and edits made since its base version.

use serde_json::Value;
use sqlx::PgPool;
use taskfold_domain::Precondition;
use taskfold_domain::Touch;
use taskfold_domain::merge::Touches;
use taskfold_event_log::LoggedEvent;
use uuid::Uuid;

use super::envelope::{CommandError, VersionConflict};

/// Version of an aggregate that a command is based on.
pub struct BaseVersion<'a> {
    pub pool: &'a PgPool,
    pub aggregate_type: &'static str,
    pub id: Uuid,
    pub version: u64,
    pub edited_version: u64,
}

impl BaseVersion<'_> {
    /// Returns the conflict if an edit since the base version forbids the command.
    pub async fn check(
        &self,
        precondition: Precondition,
        mine: &[Touch],
        your_change: impl FnOnce() -> Value,
    ) -> Result<(), CommandError> {
        let (base, lenient) = match precondition {
            Precondition::None => return Ok(()),
            Precondition::Strict(base) => (base, false),
            Precondition::Lenient(base) => (base, true),
        };
        if base <= self.version && self.edited_version <= base {
            return Ok(());
        }
        let since = self.edits_since(base).await?;
        let both = |theirs: &Touch| {
            mine.iter().any(|m| {
                m.field == theirs.field && (m.member == theirs.member || m.member.is_none() || theirs.member.is_none())
            })
        };
        let mut conflicting: Vec<_> = since.iter().filter(|(_, touches)| touches.iter().any(both)).collect();
        if conflicting.is_empty() && lenient && base <= self.version {
            return Ok(());
        }
        if conflicting.is_empty() {
            conflicting = since.iter().collect();
        }
        let mut fields: Vec<&'static str> = Vec::new();
        for touch in conflicting.iter().flat_map(|(_, touches)| touches) {
            if !fields.contains(&touch.field) {
                fields.push(touch.field);
            }
        }
        let conflicting_events =
            conflicting.iter().filter_map(|(event, _)| serde_json::to_value(event.change().ok()?).ok()).collect();
        Err(CommandError::Conflict(Box::new(VersionConflict {
            current_version: self.version,
            base_version: base,
            conflicting_fields: fields,
            your_change: your_change(),
            conflicting_events,
        })))
    }

    async fn edits_since(&self, base: u64) -> Result<Vec<(LoggedEvent, Vec<Touch>)>, CommandError> {
        let base = i64::try_from(base).unwrap_or(i64::MAX);
        let events =
            taskfold_event_log::aggregate_after(self.pool, self.aggregate_type, &self.id.to_string(), base).await?;
        events
            .into_iter()
            .map(|event| match event.event() {
                Ok(e) => Ok((event, e.touches())),
                Err(e) => Err(CommandError::Broken(e.to_string())),
            })
            .filter(|edit| edit.as_ref().map_or(true, |(_, touches)| !touches.is_empty()))
            .collect()
    }
}
