//! A logged event, decoded.

use taskfold_domain::Event;
use taskfold_event_log::{LogError, LoggedEvent};
use uuid::Uuid;

/// An event, decoded, with its row in the log.
pub struct Decoded<'a> {
    pub logged: &'a LoggedEvent,
    /// Id of its aggregate.
    pub id: Uuid,
    pub event: Event,
}

impl<'a> Decoded<'a> {
    pub fn new(logged: &'a LoggedEvent) -> Result<Self, LogError> {
        Ok(Self { logged, id: logged.subject()?.id, event: logged.event()? })
    }

    pub fn project(&self) -> Result<Uuid, NoRow> {
        self.logged.project_id.ok_or(NoRow("project"))
    }
}

/// The event is about something that has no row.
#[derive(Debug, thiserror::Error)]
#[error("it is about a {0} that has no row")]
pub struct NoRow(pub &'static str);
