//! What each event does to the rows. The same code projects live, rebuilds, and folds afresh for `verify`.

/// Files on tasks.
mod attachments;
/// What is said about tasks.
mod comments;
/// Who is in what from when to when.
mod memberships;
/// What people should hear of.
mod notifications;
/// Projects, their members and teams.
mod projects;
/// Tasks.
mod tasks;
/// Teams.
mod teams;
/// Who watched a project when.
mod watcher_history;
/// Who hears of a task.
mod watchers;

use taskfold_domain::change::Event;
use taskfold_event_log::{LogError, LoggedEvent};
use uuid::Uuid;

use crate::tables::{Keys, Tables};

pub use watcher_history::WatcherHistory;

/// An event, decoded.
pub struct Decoded<'a> {
    pub logged: &'a LoggedEvent,
    pub id: Uuid,
    pub event: Event,
}

impl<'a> Decoded<'a> {
    pub fn new(logged: &'a LoggedEvent) -> Result<Self, LogError> {
        Ok(Self { logged, id: logged.subject()?.id, event: logged.event()? })
    }

    fn project(&self) -> Result<Uuid, NoRow> {
        self.logged.project_id.ok_or(NoRow("project"))
    }
}

impl Keys {
    pub fn add(&mut self, decoded: &Decoded<'_>) {
        match &decoded.event {
            Event::Task(event) => tasks::keys(self, decoded, event),
            Event::Project(event) => projects::keys(self, decoded, event),
            Event::Team(event) => teams::keys(self, decoded, event),
        }
    }
}

/// Why an event was not folded.
#[derive(Debug, thiserror::Error)]
#[error("it is about a {0} that has no row")]
pub struct NoRow(&'static str);

impl Tables {
    pub fn apply(&mut self, decoded: &Decoded<'_>) -> Result<(), NoRow> {
        match &decoded.event {
            Event::Task(event) => self.apply_task(decoded, event),
            Event::Project(event) => self.apply_project(decoded, event),
            Event::Team(event) => self.apply_team(decoded, event),
        }
    }
}
