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

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// A row that an event is about is not there.
#[derive(Debug, thiserror::Error)]
#[error("it is about a {0} that has no row")]
pub struct NoRow(&'static str);

/// Reason for which an event was not folded.
#[derive(Debug, thiserror::Error)]
pub enum NotFolded {
    #[error(transparent)]
    NoRow(#[from] NoRow),
    /// A fault in our code, which no other event has to wait for.
    #[error("folding it panicked: {0}")]
    Panicked(String),
}

impl Tables {
    pub fn apply(&mut self, decoded: &Decoded<'_>) -> Result<(), NotFolded> {
        caught(|| match &decoded.event {
            Event::Task(event) => self.apply_task(decoded, event),
            Event::Project(event) => self.apply_project(decoded, event),
            Event::Team(event) => self.apply_team(decoded, event),
        })
    }
}

/// Rows of an aggregate that a panic left half changed are folded anew before the aggregate is taken back.
fn caught(fold: impl FnOnce() -> Result<(), NoRow>) -> Result<(), NotFolded> {
    match catch_unwind(AssertUnwindSafe(fold)) {
        Ok(folded) => Ok(folded?),
        Err(panic) => Err(NotFolded::Panicked(said(panic.as_ref()).to_owned())),
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&'static str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_reason_like_any_other() {
        let what = |fold: fn() -> Result<(), NoRow>| caught(fold).map_err(|e| e.to_string());
        assert_eq!(what(|| Ok(())), Ok(()));
        assert_eq!(what(|| Err(NoRow("task"))), Err("it is about a task that has no row".to_owned()));
        assert_eq!(what(|| panic!("of {}", 7)), Err("folding it panicked: of 7".to_owned()));
        assert_eq!(what(|| panic!("of old")), Err("folding it panicked: of old".to_owned()));
    }
}
