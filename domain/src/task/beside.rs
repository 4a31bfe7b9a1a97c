//! State of each task that the append keeps beside its events, in tables of its own, because it decides on many tasks at once: where it stands, what
//! it is linked to, and when it is to be reminded of. The rules stand here for all who write these tables, prove them or make them again.

use super::events::TaskEvent;
use super::state::{Situation, Task};
use crate::Timestamp;
use crate::ids::{ColumnId, TaskId};
use crate::rank::Rank;

/// Place of a task: its column, its rank, its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub column: ColumnId,
    pub rank: Rank,
    pub state: PlaceState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceState {
    OnBoard = 0,
    Archived = 1,
    Deleted = 2,
}

/// Link from a task to others. Each kind is walked apart: a part may wait for its whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkKind {
    WaitsFor = 1,
    PartOf = 2,
}

/// Change that an event makes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    WaitsFor(TaskId),
    NoLongerWaitsFor(TaskId),
    PartOf(Option<TaskId>),
}

impl Link {
    pub fn of(event: &TaskEvent) -> Option<Self> {
        let differing = |a: &[TaskId], b: &[TaskId]| a.iter().find(|id| !b.contains(id)).copied();
        match event {
            TaskEvent::Created(e) => e.parent_id.to.map(|parent| Self::PartOf(Some(parent))),
            TaskEvent::Reparented(e) => Some(Self::PartOf(e.parent_id.to)),
            TaskEvent::DependencyAdded(e) => {
                differing(&e.dependency_ids.to, &e.dependency_ids.from).map(Self::WaitsFor)
            }
            TaskEvent::DependencyRemoved(e) => {
                differing(&e.dependency_ids.from, &e.dependency_ids.to).map(Self::NoLongerWaitsFor)
            }
            TaskEvent::Deleted(_)
            | TaskEvent::Restored(_)
            | TaskEvent::Renamed(_)
            | TaskEvent::Described(_)
            | TaskEvent::Moved(_)
            | TaskEvent::Assigned(_)
            | TaskEvent::Unassigned(_)
            | TaskEvent::Labeled(_)
            | TaskEvent::Unlabeled(_)
            | TaskEvent::Prioritized(_)
            | TaskEvent::Scheduled(_)
            | TaskEvent::Estimated(_)
            | TaskEvent::Started(_)
            | TaskEvent::Paused(_)
            | TaskEvent::Resumed(_)
            | TaskEvent::Completed(_)
            | TaskEvent::Cancelled(_)
            | TaskEvent::Failed(_)
            | TaskEvent::Reopened(_)
            | TaskEvent::Progressed(_)
            | TaskEvent::Archived(_)
            | TaskEvent::Unarchived(_)
            | TaskEvent::Commented(_)
            | TaskEvent::CommentEdited(_)
            | TaskEvent::CommentRemoved(_)
            | TaskEvent::AttachmentAdded(_)
            | TaskEvent::AttachmentRemoved(_)
            | TaskEvent::ChecklistAdded(_)
            | TaskEvent::ChecklistRenamed(_)
            | TaskEvent::ChecklistRemoved(_)
            | TaskEvent::ChecklistItemAdded(_)
            | TaskEvent::ChecklistItemChanged(_)
            | TaskEvent::ChecklistItemRemoved(_)
            | TaskEvent::ReactionAdded(_)
            | TaskEvent::ReactionRemoved(_)
            | TaskEvent::Watched(_)
            | TaskEvent::Unwatched(_)
            | TaskEvent::DueSoon(_)
            | TaskEvent::Overdue(_) => None,
        }
    }
}

impl Task {
    pub fn place(&self) -> Option<Place> {
        let card = self.card()?;
        let state = match self.situation {
            Situation::Deleted { .. } => PlaceState::Deleted,
            Situation::Absent | Situation::Present(_) if card.archived => PlaceState::Archived,
            Situation::Absent | Situation::Present(_) => PlaceState::OnBoard,
        };
        Some(Place { column: card.column_id, rank: card.rank.clone(), state })
    }

    /// What the links of all its events come to, in order. A deleted task keeps them.
    pub fn links(&self) -> Vec<(LinkKind, TaskId)> {
        let Some(card) = self.card() else { return Vec::new() };
        let waits_for = card.dependency_ids.iter().map(|task| (LinkKind::WaitsFor, *task));
        let part_of = card.parent_id.map(|task| (LinkKind::PartOf, task));
        let mut links: Vec<_> = waits_for.chain(part_of).collect();
        links.sort_unstable();
        links
    }

    /// When the clock has something to say of it next.
    pub fn reminder_at(&self) -> Option<Timestamp> {
        match &self.situation {
            Situation::Present(card) => card.next_reminder().map(|(at, _)| at),
            Situation::Absent | Situation::Deleted { .. } => None,
        }
    }
}
