//! State that the append keeps of each task in side tables, because it decides on many tasks at once: placement, links
//! and the next reminder. One set of rules for all who write these tables, verify them or repair them.

use super::aspect::Aspect;
use super::events::TaskEvent;
use super::state::{Situation, Task};
use crate::Timestamp;
use crate::delta::Delta;
use crate::ids::{ColumnId, TaskId};
use crate::rank::Rank;

/// Placement of a task: its column, its rank, its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    pub column: ColumnId,
    pub rank: Rank,
    pub state: PlacementState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacementState {
    OnBoard = 0,
    Archived = 1,
    Deleted = 2,
}

/// Link from a task to others. Cycles are looked for in each kind by itself: a part may wait for its whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkKind {
    WaitsFor = 1,
    PartOf = 2,
}

/// Change that an event makes to the links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    WaitsFor(TaskId),
    NoLongerWaitsFor(TaskId),
    PartOf(Option<TaskId>),
}

impl Link {
    pub fn of(event: &TaskEvent) -> Option<Self> {
        let differing = |a: &[TaskId], b: &[TaskId]| a.iter().find(|id| !b.contains(id)).copied();
        match event.aspect() {
            Aspect::Created(e) => e.parent_id.to.map(|parent| Self::PartOf(Some(parent))),
            Aspect::Parent(parent) => Some(Self::PartOf(parent)),
            Aspect::Dependencies(Delta { from, to }) => {
                let added = differing(to, from).map(Self::WaitsFor);
                added.or_else(|| differing(from, to).map(Self::NoLongerWaitsFor))
            }
            Aspect::Field
            | Aspect::Assignees(_)
            | Aspect::Status(_)
            | Aspect::Comment(_)
            | Aspect::Attachment(_)
            | Aspect::Watcher(_)
            | Aspect::DueStage(_)
            | Aspect::Deletion(_) => None,
        }
    }
}

impl Task {
    pub fn placement(&self) -> Option<Placement> {
        let card = self.card()?;
        let state = match self.situation {
            Situation::Deleted { .. } => PlacementState::Deleted,
            Situation::Absent | Situation::Present(_) if card.fields.archived => PlacementState::Archived,
            Situation::Absent | Situation::Present(_) => PlacementState::OnBoard,
        };
        Some(Placement { column: card.fields.column_id, rank: card.fields.rank.clone(), state })
    }

    /// Links after all its events, in order. A deleted task keeps them.
    pub fn links(&self) -> Vec<(LinkKind, TaskId)> {
        let Some(fields) = self.fields() else { return Vec::new() };
        let waits_for = fields.dependency_ids.iter().map(|task| (LinkKind::WaitsFor, *task));
        let part_of = fields.parent_id.map(|task| (LinkKind::PartOf, task));
        let mut links: Vec<_> = waits_for.chain(part_of).collect();
        links.sort_unstable();
        links
    }

    /// Time of the next reminder.
    pub fn reminder_at(&self) -> Option<Timestamp> {
        match &self.situation {
            Situation::Present(card) => card.fields.next_reminder().map(|(at, _)| at),
            Situation::Absent | Situation::Deleted { .. } => None,
        }
    }
}

/// Time in the schedule of a reminder that came due while its project or column was archived: a microsecond before the
/// last one, which no reminder has.
pub fn suspended_reminder() -> Timestamp {
    let last = Timestamp::from_micros(i64::MAX).utc().timestamp_micros();
    Timestamp::from_micros(last - 1)
}
