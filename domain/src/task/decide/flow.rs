//! Status steps and moves, which go together.

use super::{Context, Origin};
use crate::Timestamp;
use crate::delta::Delta;
use crate::ids::ColumnId;
use crate::input::Reason;
use crate::project::{Board, Category, Column};
use crate::rank::Rank;
use crate::reference::{ReferenceKind, Removal};
use crate::refusal::Refusal;
use crate::task::events::{Lifecycle, Moved, Progressed, TaskEvent};
use crate::task::fields::Fields;
use crate::task::lifecycle::{Action, Status};

/// Fields that status steps read and write.
pub struct Clock {
    status: Status,
    running_since: Option<Timestamp>,
    elapsed_ms: u64,
    has_reason: Option<String>,
}

impl Clock {
    pub const NEW: Self = Self { status: Status::Todo, running_since: None, elapsed_ms: 0, has_reason: None };

    pub fn of(fields: &Fields) -> Self {
        Self {
            status: fields.status,
            running_since: fields.running_since,
            elapsed_ms: fields.elapsed_ms,
            has_reason: fields.reason.clone(),
        }
    }

    /// Takes one step, and returns the event's payload.
    fn step(&mut self, to: Status, reason: Option<String>, at: Timestamp) -> Lifecycle {
        let status = Delta::new(self.status, to);
        let running_since = Delta::between(&self.running_since, (to == Status::Running).then_some(at));
        let ran_ms = self.running_since.map_or(0, |since| at.millis_since(since));
        let elapsed_ms = Delta::between(&self.elapsed_ms, self.elapsed_ms.saturating_add(ran_ms));
        let reason = Delta::between(&self.has_reason, reason);
        self.status = to;
        self.running_since = (to == Status::Running).then_some(at);
        self.elapsed_ms = self.elapsed_ms.saturating_add(ran_ms);
        self.has_reason = reason.as_ref().map_or_else(|| self.has_reason.clone(), |r| r.to.clone());
        Lifecycle { status, running_since, elapsed_ms, reason }
    }
}

pub fn steps(from: &Clock, actions: &[Action], reason: Option<&Reason>, at: Timestamp) -> Vec<TaskEvent> {
    let mut clock = Clock { has_reason: from.has_reason.clone(), ..*from };
    actions
        .iter()
        .filter_map(|action| {
            let to = action.leads_to()?;
            let step = clock.step(to, reason.map(|r| r.as_str().to_owned()), at);
            Some(match action {
                Action::Start => TaskEvent::Started(step),
                Action::Pause => TaskEvent::Paused(step),
                Action::Resume => TaskEvent::Resumed(step),
                Action::Complete => TaskEvent::Completed(step),
                Action::Cancel => TaskEvent::Cancelled(step),
                Action::Fail => TaskEvent::Failed(step),
                Action::Reopen => TaskEvent::Reopened(step),
                Action::Progress => return None,
            })
        })
        .collect()
}

/// Status step, and the move to the first column where a task of that status belongs.
pub fn act(
    fields: &Fields,
    action: Action,
    reason: Option<&Reason>,
    board: &Board,
    context: &Context,
) -> Result<Vec<TaskEvent>, Refusal> {
    let allowed = fields.status.allowed();
    if !allowed.contains(&action) {
        return Err(Refusal::IllegalTransition { status: fields.status, allowed: allowed.to_vec() });
    }
    let mut events = steps(&Clock::of(fields), &[action], reason, context.at);
    if let Some(category) = action.belongs_in()
        && board.fields.column(fields.column_id).is_none_or(|c| c.category != category)
        && let Some(column) = board.fields.first_column(category)
    {
        events.push(move_event(fields, column.id, context.end.clone()));
    }
    Ok(events)
}

/// Move, and the status steps of entering a column of another category.
pub fn moved(fields: &Fields, to: ColumnId, board: &Board, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    let column = usable_column(board, to, context.origin)?;
    if to == fields.column_id {
        return Ok(context.rank.clone().map(|rank| move_event(fields, to, rank)).into_iter().collect());
    }
    let rank = context.rank.clone().unwrap_or_else(|| context.end.clone());
    let mut events = vec![move_event(fields, to, rank)];
    if board.fields.column(fields.column_id).is_none_or(|from| from.category != column.category) {
        let actions = Action::on_entering(column.category, fields.status);
        events.extend(steps(&Clock::of(fields), actions, None, context.at));
    }
    Ok(events)
}

pub fn move_event(fields: &Fields, to: ColumnId, rank: Rank) -> TaskEvent {
    TaskEvent::Moved(Moved {
        column_id: Delta::between(&fields.column_id, to),
        rank: Delta::new(fields.rank.clone(), rank),
    })
}

pub fn progress(fields: &Fields, percent: u32) -> Result<Vec<TaskEvent>, Refusal> {
    let allowed = fields.status.allowed();
    if !allowed.contains(&Action::Progress) {
        return Err(Refusal::IllegalTransition { status: fields.status, allowed: allowed.to_vec() });
    }
    Ok(Delta::between(&fields.progress, Some(percent))
        .map(|progress| TaskEvent::Progressed(Progressed { progress }))
        .into_iter()
        .collect())
}

/// Column for a task for which nobody chose one: the first of the category, or else the first of the board.
pub fn default_column(board: &Board, wanted: Category) -> Option<&Column> {
    board.fields.first_column(wanted).or_else(|| board.fields.open_columns().next())
}

/// Column that may take tasks. Imported history may have put some into one that is archived by now.
pub fn usable_column(board: &Board, id: ColumnId, origin: Origin) -> Result<&Column, Refusal> {
    const POINTER: &str = "/column_id";
    let Some(column) = board.fields.column(id) else {
        return Err(match board.removed_at(id.0) {
            Some(at) => Refusal::reference_gone(POINTER, ReferenceKind::Column, id.0, Removal::AtVersion(at)),
            None => Refusal::invalid(POINTER, "not a column of the project"),
        });
    };
    if column.archived && origin == Origin::Live {
        return Err(Refusal::invalid(POINTER, "the column is archived"));
    }
    Ok(column)
}
