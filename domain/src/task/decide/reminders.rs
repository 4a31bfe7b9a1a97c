//! Reminders of due times that come near or have passed.

use chrono::TimeDelta;

use crate::Timestamp;
use crate::delta::Delta;
use crate::project::Board;
use crate::task::commands::Remind;
use crate::task::events::{DueReached, TaskEvent};
use crate::task::fields::Fields;
use crate::task::values::DueStage;

/// Time before its due time from which a task is due soon.
const SOON: TimeDelta = TimeDelta::hours(24);

impl Fields {
    /// Next reminder and its time; none for a task that is over or off the board.
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

/// Decides a reminder, which is given once. One that comes late, of another due time or of a task that is over, is not
/// given, and none is given while the project or the column is archived; one that a due time comes near is given as
/// passed when the time has passed already.
pub fn remind(fields: &Fields, remind: Remind, board: &Board, at: Timestamp) -> Vec<TaskEvent> {
    let Some((when, next)) = fields.next_reminder() else { return vec![] };
    if next != remind || when > at || board.fields.hides(fields.column_id) {
        return vec![];
    }
    let stage = if remind.due_at <= at { DueStage::Overdue } else { remind.stage };
    let reached = DueReached { due_stage: Delta::new(fields.due_stage, Some(stage)) };
    vec![match stage {
        DueStage::DueSoon => TaskEvent::DueSoon(reached),
        DueStage::Overdue => TaskEvent::Overdue(reached),
    }]
}
