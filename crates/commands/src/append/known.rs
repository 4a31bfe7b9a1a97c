use taskfold_event_log::{LogIdentity, Writes};
use tokio::sync::watch;
use uuid::Uuid;

use super::{Append, Outcome};

/// The log as the committer knows it: its id, and the last event that it has seen there. A log that lacks that event was restored to an earlier
/// state, and nothing may be appended to it. And what became of the last calls.
pub struct Known {
    pub writes: Writes,
    log: watch::Receiver<LogIdentity>,
    id: Uuid,
    last: Option<(i64, Uuid)>,
}

/// What a call says of the log that it is for.
#[derive(Clone, Copy)]
pub struct OfLog {
    pub id: Uuid,
    /// Position and command of the last event that was seen.
    pub last: Option<(i64, Uuid)>,
}

impl Known {
    pub fn new(log: watch::Receiver<LogIdentity>, writes: Writes) -> Self {
        let id = log.borrow().id;
        Self { writes, log, id, last: None }
    }

    pub fn log(&mut self) -> OfLog {
        let id = self.log.borrow().id;
        if std::mem::replace(&mut self.id, id) != id {
            // Of the log before.
            self.last = None;
        }
        OfLog { id, last: self.last }
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
            | Outcome::Cycle
            | Outcome::Rank
            | Outcome::Wip
            | Outcome::NotEmpty => None,
        });
        self.last = self.last.into_iter().chain(appended).max();
    }
}
