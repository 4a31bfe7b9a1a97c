//! The end of the log as the committer knows it.

use taskfold_event_log::{LogIdentity, Writes};
use tokio::sync::watch;
use uuid::Uuid;

use super::{Append, Outcome};

/// Id of the log and the last event that was seen in it. A log that lacks this event was restored to an earlier state,
/// and nothing may be appended to it.
pub struct LogTail {
    /// Results of the last calls.
    pub writes: Writes,
    identity: watch::Receiver<LogIdentity>,
    id: Uuid,
    last: Option<(i64, Uuid)>,
}

/// The state of the log that a call is based on.
#[derive(Clone, Copy)]
pub struct LogState {
    pub id: Uuid,
    /// Position and command of the last event that was seen.
    pub last: Option<(i64, Uuid)>,
}

impl LogTail {
    pub fn new(identity: watch::Receiver<LogIdentity>, writes: Writes) -> Self {
        let id = identity.borrow().id;
        Self { writes, identity, id, last: None }
    }

    pub fn state(&mut self) -> LogState {
        let id = self.identity.borrow().id;
        if std::mem::replace(&mut self.id, id) != id {
            // It belongs to the previous log.
            self.last = None;
        }
        LogState { id, last: self.last }
    }

    pub fn learn(&mut self, appends: &[Append], outcomes: &[Outcome]) {
        let appended = appends.iter().zip(outcomes).filter_map(|(append, outcome)| match outcome {
            Outcome::Appended(recorded) if !append.events.is_empty() => {
                Some((recorded.last_position, append.command_id))
            }
            Outcome::Appended(_)
            | Outcome::Duplicate(_)
            | Outcome::Reused
            | Outcome::Conflict
            | Outcome::Guard
            | Outcome::Taken
            | Outcome::Cycle
            | Outcome::Rank
            | Outcome::Wip
            | Outcome::NotEmpty => None,
        });
        self.last = self.last.into_iter().chain(appended).max();
    }
}
