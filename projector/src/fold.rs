//! Fold of an event into the rows of all read models. The same code projects live, rebuilds, and verifies.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use taskfold_domain::Event;

use crate::decoded::{Decoded, NoRow};
use crate::read_models::{
    attachments, channel_events, comments, notifications, project_members, project_teams, projects, tasks,
    team_members, teams,
};
use crate::tables::{Keys, Tables};

/// Reason for which an event was not folded.
#[derive(Debug, thiserror::Error)]
pub enum NotFolded {
    #[error(transparent)]
    NoRow(#[from] NoRow),
    /// A fault in our code, which no other event has to wait for.
    #[error("folding it panicked: {0}")]
    Panicked(String),
}

impl Keys {
    /// Adds the rows that the event modifies or depends on.
    pub fn add(&mut self, decoded: &Decoded<'_>) {
        match &decoded.event {
            Event::Task(event) => {
                tasks::keys(self, decoded, event);
                comments::keys(self, decoded, event);
                notifications::keys(self, decoded);
            }
            Event::Project(event) => {
                projects::keys(self, decoded);
                project_members::keys(self, decoded, event);
                project_teams::keys(self, decoded, event);
            }
            Event::Team(event) => {
                teams::keys(self, decoded);
                team_members::keys(self, decoded, event);
            }
        }
    }
}

impl Tables {
    pub fn apply(&mut self, decoded: &Decoded<'_>) -> Result<(), NotFolded> {
        caught(|| self.apply_in_order(decoded))
    }

    /// Applies first what may fail, so that an event is folded into all read models or into none.
    fn apply_in_order(&mut self, decoded: &Decoded<'_>) -> Result<(), NoRow> {
        match &decoded.event {
            Event::Task(event) => {
                tasks::check(self, decoded, event)?;
                comments::apply(self, decoded, event)?;
                attachments::apply(self, decoded, event)?;
                tasks::apply(self, decoded, event)?;
                notifications::apply(self, decoded, event);
            }
            Event::Project(event) => {
                projects::check(self, decoded, event)?;
                project_members::apply(self, decoded, event)?;
                project_teams::apply(self, decoded, event)?;
                projects::apply(self, decoded, event)?;
                channel_events::apply_project(self, decoded, event);
            }
            Event::Team(event) => {
                teams::check(self, decoded, event)?;
                team_members::apply(self, decoded, event)?;
                teams::apply(self, decoded, event)?;
                channel_events::apply_team(self, decoded, event);
            }
        }
        Ok(())
    }
}

/// Rows of an aggregate that a panic left half changed are folded anew before the aggregate is projected again.
fn caught(fold: impl FnOnce() -> Result<(), NoRow>) -> Result<(), NotFolded> {
    match catch_unwind(AssertUnwindSafe(fold)) {
        Ok(folded) => Ok(folded?),
        Err(panic) => Err(NotFolded::Panicked(message(panic.as_ref()).to_owned())),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&'static str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_reason_of_a_dead_letter() {
        let reason = |fold: fn() -> Result<(), NoRow>| caught(fold).map_err(|e| e.to_string());
        assert_eq!(reason(|| Ok(())), Ok(()));
        assert_eq!(reason(|| Err(NoRow("task"))), Err("it is about a task that has no row".to_owned()));
        assert_eq!(reason(|| panic!("of {}", 7)), Err("folding it panicked: of 7".to_owned()));
        assert_eq!(reason(|| panic!("of old")), Err("folding it panicked: of old".to_owned()));
    }
}
