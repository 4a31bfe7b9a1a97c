use chrono::TimeDelta;

use crate::Timestamp;
use crate::delta::Delta;
use crate::task::commands::Remind;
use crate::task::events::{DueReached, DueStage, TaskEvent};
use crate::task::state::Card;

/// How long before its due time a task is due soon.
const SOON: TimeDelta = TimeDelta::hours(24);

impl Card {
    /// What the clock will have to say of it next, and when; nothing of a task that is over or off the board.
    pub fn next_reminder(&self) -> Option<(Timestamp, Remind)> {
        let due_at = self.due_at.filter(|_| !self.status.is_over() && !self.archived)?;
        match self.due_stage {
            None => {
                let soon = due_at.utc().checked_sub_signed(SOON).unwrap_or(due_at.utc());
                Some((soon.into(), Remind { due_at, stage: DueStage::DueSoon }))
            }
            Some(DueStage::DueSoon) => Some((due_at, Remind { due_at, stage: DueStage::Overdue })),
            Some(DueStage::Overdue) => None,
        }
    }
}

/// Says it once. A reminder that comes late, of another due time or of a task that is over, says nothing; of a time that
/// has passed already, that it has passed.
pub fn remind(card: &Card, remind: Remind, at: Timestamp) -> Vec<TaskEvent> {
    let Some((when, next)) = card.next_reminder() else { return vec![] };
    if next != remind || when > at {
        return vec![];
    }
    let stage = if remind.due_at <= at { DueStage::Overdue } else { remind.stage };
    let reached = DueReached { due_stage: Delta::new(card.due_stage, Some(stage)) };
    vec![match stage {
        DueStage::DueSoon => TaskEvent::DueSoon(reached),
        DueStage::Overdue => TaskEvent::Overdue(reached),
    }]
}
