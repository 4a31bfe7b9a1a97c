//! Fields of a task, and all that an event does to them. A decision and the read models fold events with the same code.
//!
//! A new field that stands for itself is written here, in [`super::commands`] and in [`super::events`].

use serde::{Deserialize, Serialize};

use super::commands::{CreateTask, EditTask};
use super::events::{Created, Described, Estimated, Lifecycle, Prioritized, Renamed, Scheduled, TaskEvent};
use super::lifecycle::Status;
use super::values::{Checklist, DueStage, PlacedItem, Priority};
use super::watching::Watchers;
use crate::Timestamp;
use crate::delta::Delta;
use crate::ids::{ColumnId, LabelId, ProjectId, TaskId, UserId};
use crate::rank::Rank;

/// Fields of a task, as a board shows them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fields {
    pub project_id: ProjectId,
    pub title: String,
    pub description: String,
    pub status: Status,
    pub running_since: Option<Timestamp>,
    pub elapsed_ms: u64,
    pub reason: Option<String>,
    pub progress: Option<u32>,
    pub column_id: ColumnId,
    pub rank: Rank,
    pub priority: Priority,
    pub assignee_ids: Vec<UserId>,
    pub label_ids: Vec<LabelId>,
    pub start_at: Option<Timestamp>,
    pub due_at: Option<Timestamp>,
    pub estimate_minutes: Option<u32>,
    pub parent_id: Option<TaskId>,
    pub archived: bool,
    pub checklists: Vec<Checklist>,
    pub dependency_ids: Vec<TaskId>,
    pub watcher_ids: Watchers,
    /// Watchers for no other reason than that they are assigned.
    pub assigned_watcher_ids: Vec<UserId>,
    /// Last reminder that was given of this due time.
    pub due_stage: Option<DueStage>,
}

impl Fields {
    /// Fields of a new task. `creator` is known to those who fold the log with its actors.
    pub fn new(created: &Created, creator: Option<UserId>) -> Self {
        let mut fields = Self {
            project_id: created.project_id.to,
            title: created.title.to.clone(),
            description: created.description.to.clone(),
            status: created.status.to,
            running_since: None,
            elapsed_ms: 0,
            reason: None,
            progress: None,
            column_id: created.column_id.to,
            rank: created.rank.to.clone(),
            priority: created.priority.to,
            assignee_ids: created.assignee_ids.to.clone(),
            label_ids: created.label_ids.to.clone(),
            start_at: created.start_at.to,
            due_at: created.due_at.to,
            estimate_minutes: created.estimate_minutes.to,
            parent_id: created.parent_id.to,
            archived: false,
            checklists: Vec::new(),
            dependency_ids: Vec::new(),
            watcher_ids: Watchers::default(),
            assigned_watcher_ids: Vec::new(),
            due_stage: None,
        };
        fields.watch_new(creator);
        fields
    }

    /// Applies an event. One that does not fit (an item of a checklist that is not there) changes nothing.
    pub fn apply(&mut self, event: &TaskEvent) {
        self.apply_to_watchers(event);
        match event {
            TaskEvent::Renamed(e) => self.title.clone_from(&e.title.to),
            TaskEvent::Described(e) => self.description.clone_from(&e.description.to),
            TaskEvent::Moved(e) => {
                if let Some(column_id) = &e.column_id {
                    self.column_id = column_id.to;
                }
                self.rank.clone_from(&e.rank.to);
            }
            TaskEvent::Assigned(e) | TaskEvent::Unassigned(e) => self.assignee_ids.clone_from(&e.assignee_ids.to),
            TaskEvent::Labeled(e) | TaskEvent::Unlabeled(e) => self.label_ids.clone_from(&e.label_ids.to),
            TaskEvent::Prioritized(e) => self.priority = e.priority.to,
            TaskEvent::Scheduled(e) => {
                if let Some(start_at) = &e.start_at {
                    self.start_at = start_at.to;
                }
                if let Some(due_at) = &e.due_at {
                    self.due_at = due_at.to;
                    self.due_stage = None;
                }
            }
            TaskEvent::Estimated(e) => self.estimate_minutes = e.estimate_minutes.to,
            TaskEvent::Started(e)
            | TaskEvent::Paused(e)
            | TaskEvent::Resumed(e)
            | TaskEvent::Completed(e)
            | TaskEvent::Cancelled(e)
            | TaskEvent::Failed(e)
            | TaskEvent::Reopened(e) => self.apply_step(e),
            TaskEvent::Progressed(e) => self.progress = e.progress.to,
            TaskEvent::Archived(e) | TaskEvent::Unarchived(e) => self.archived = e.archived.to,
            TaskEvent::ChecklistAdded(e) => self.checklists.push(e.checklist.to.clone()),
            TaskEvent::ChecklistRenamed(e) => {
                if let Some(list) = self.checklists.iter_mut().find(|list| list.id == e.checklist.to.id) {
                    list.title.clone_from(&e.checklist.to.title);
                }
            }
            TaskEvent::ChecklistRemoved(e) => self.checklists.retain(|list| list.id != e.checklist.from.id),
            TaskEvent::ChecklistItemAdded(e) => self.insert_item(&e.item.to),
            TaskEvent::ChecklistItemChanged(e) => {
                self.remove_item(&e.item.from);
                self.insert_item(&e.item.to);
            }
            TaskEvent::ChecklistItemRemoved(e) => self.remove_item(&e.item.from),
            TaskEvent::Reparented(e) => self.parent_id = e.parent_id.to,
            TaskEvent::DependencyAdded(e) | TaskEvent::DependencyRemoved(e) => {
                self.dependency_ids.clone_from(&e.dependency_ids.to);
            }
            TaskEvent::DueSoon(e) | TaskEvent::Overdue(e) => self.due_stage = e.due_stage.to,
            TaskEvent::Created(_)
            | TaskEvent::Deleted(_)
            | TaskEvent::Restored(_)
            | TaskEvent::Commented(_)
            | TaskEvent::CommentEdited(_)
            | TaskEvent::CommentRemoved(_)
            | TaskEvent::AttachmentAdded(_)
            | TaskEvent::AttachmentRemoved(_)
            | TaskEvent::ReactionAdded(_)
            | TaskEvent::ReactionRemoved(_)
            | TaskEvent::Watched(_)
            | TaskEvent::Unwatched(_) => {}
        }
    }

    fn apply_step(&mut self, step: &Lifecycle) {
        self.status = step.status.to;
        if let Some(since) = &step.running_since {
            self.running_since = since.to;
        }
        if let Some(elapsed) = &step.elapsed_ms {
            self.elapsed_ms = elapsed.to;
        }
        if let Some(reason) = &step.reason {
            self.reason.clone_from(&reason.to);
        }
    }

    /// Inserts an item behind the one it names, or first; at the end when that one has been removed.
    fn insert_item(&mut self, placed: &PlacedItem) {
        let Some(list) = self.checklists.iter_mut().find(|list| list.id == placed.checklist_id) else { return };
        let index = match placed.after {
            None => 0,
            Some(after) => list.items.iter().position(|item| item.id == after).map_or(list.items.len(), |i| i + 1),
        };
        list.items.insert(index, placed.item.clone());
    }

    fn remove_item(&mut self, placed: &PlacedItem) {
        if let Some(list) = self.checklists.iter_mut().find(|list| list.id == placed.checklist_id) {
            list.items.retain(|item| item.id != placed.item.id);
        }
    }

    /// Names the field of which the event states another value before than it has; `None` when it follows.
    pub(super) fn contradicts(&self, event: &TaskEvent) -> Option<&'static str> {
        match event {
            TaskEvent::Renamed(e) => differs("title", &e.title.from, &self.title),
            TaskEvent::Described(e) => differs("description", &e.description.from, &self.description),
            TaskEvent::Moved(e) => {
                let column =
                    e.column_id.as_ref().and_then(|column| differs("column_id", &column.from, &self.column_id));
                column.or(differs("rank", &e.rank.from, &self.rank))
            }
            TaskEvent::Assigned(e) | TaskEvent::Unassigned(e) => {
                differs("assignee_ids", &e.assignee_ids.from, &self.assignee_ids)
            }
            TaskEvent::Labeled(e) | TaskEvent::Unlabeled(e) => differs("label_ids", &e.label_ids.from, &self.label_ids),
            TaskEvent::Prioritized(e) => differs("priority", &e.priority.from, &self.priority),
            TaskEvent::Scheduled(e) => {
                let start = e.start_at.as_ref().and_then(|start| differs("start_at", &start.from, &self.start_at));
                start.or_else(|| e.due_at.as_ref().and_then(|due| differs("due_at", &due.from, &self.due_at)))
            }
            TaskEvent::Estimated(e) => differs("estimate_minutes", &e.estimate_minutes.from, &self.estimate_minutes),
            TaskEvent::Started(e)
            | TaskEvent::Paused(e)
            | TaskEvent::Resumed(e)
            | TaskEvent::Completed(e)
            | TaskEvent::Cancelled(e)
            | TaskEvent::Failed(e)
            | TaskEvent::Reopened(e) => self.contradicts_step(e),
            TaskEvent::Progressed(e) => differs("progress", &e.progress.from, &self.progress),
            TaskEvent::Archived(e) | TaskEvent::Unarchived(e) => differs("archived", &e.archived.from, &self.archived),
            TaskEvent::ChecklistAdded(e) => {
                self.checklists.iter().any(|list| list.id == e.checklist.to.id).then_some("checklist")
            }
            TaskEvent::ChecklistRenamed(e) => {
                let stated = &e.checklist.from;
                let same = self.checklists.iter().any(|list| list.id == stated.id && list.title == stated.title);
                (!same).then_some("checklist")
            }
            TaskEvent::ChecklistRemoved(e) => (!self.checklists.contains(&e.checklist.from)).then_some("checklist"),
            TaskEvent::ChecklistItemAdded(e) => {
                let list = self.checklists.iter().find(|list| list.id == e.item.to.checklist_id);
                let new = list.is_some_and(|list| list.items.iter().all(|item| item.id != e.item.to.item.id));
                (!new).then_some("item")
            }
            TaskEvent::ChecklistItemChanged(e) => (!self.has_item(&e.item.from)).then_some("item"),
            TaskEvent::ChecklistItemRemoved(e) => (!self.has_item(&e.item.from)).then_some("item"),
            TaskEvent::Reparented(e) => differs("parent_id", &e.parent_id.from, &self.parent_id),
            TaskEvent::DependencyAdded(e) | TaskEvent::DependencyRemoved(e) => {
                differs("dependency_ids", &e.dependency_ids.from, &self.dependency_ids)
            }
            TaskEvent::DueSoon(e) | TaskEvent::Overdue(e) => differs("due_stage", &e.due_stage.from, &self.due_stage),
            TaskEvent::Created(_)
            | TaskEvent::Deleted(_)
            | TaskEvent::Restored(_)
            | TaskEvent::Commented(_)
            | TaskEvent::CommentEdited(_)
            | TaskEvent::CommentRemoved(_)
            | TaskEvent::AttachmentAdded(_)
            | TaskEvent::AttachmentRemoved(_)
            | TaskEvent::ReactionAdded(_)
            | TaskEvent::ReactionRemoved(_)
            | TaskEvent::Watched(_)
            | TaskEvent::Unwatched(_) => None,
        }
    }

    fn contradicts_step(&self, step: &Lifecycle) -> Option<&'static str> {
        let since = step.running_since.as_ref().and_then(|d| differs("running_since", &d.from, &self.running_since));
        let elapsed = step.elapsed_ms.as_ref().and_then(|d| differs("elapsed_ms", &d.from, &self.elapsed_ms));
        let reason = step.reason.as_ref().and_then(|d| differs("reason", &d.from, &self.reason));
        differs("status", &step.status.from, &self.status).or(since).or(elapsed).or(reason)
    }

    /// Checks that the item is in its checklist as stated, behind the stated one.
    fn has_item(&self, stated: &PlacedItem) -> bool {
        let Some(list) = self.checklists.iter().find(|list| list.id == stated.checklist_id) else { return false };
        let Some(at) = list.items.iter().position(|item| item.id == stated.item.id) else { return false };
        let after = at.checked_sub(1).and_then(|before| list.items.get(before)).map(|item| item.id);
        list.items.get(at) == Some(&stated.item) && after == stated.after
    }

    /// Events of an edit, one for each field that changes.
    pub(super) fn edited(&self, edit: &EditTask) -> Vec<TaskEvent> {
        let title = edit.title.as_ref().and_then(|t| Delta::between(&self.title, t.as_str().to_owned()));
        let description = edit
            .description
            .as_ref()
            .and_then(|d| Delta::between(&self.description, d.clone().map(String::from).unwrap_or_default()));
        let priority = edit.priority.and_then(|p| Delta::between(&self.priority, p.unwrap_or_default()));
        let start_at = edit.start_at.and_then(|t| Delta::between(&self.start_at, t.map(Timestamp::from)));
        let due_at = edit.due_at.and_then(|t| Delta::between(&self.due_at, t.map(Timestamp::from)));
        let estimate = edit.estimate_minutes.and_then(|m| Delta::between(&self.estimate_minutes, m.map(|m| m.get())));
        [
            title.map(|title| TaskEvent::Renamed(Renamed { title })),
            description.map(|description| TaskEvent::Described(Described { description })),
            priority.map(|priority| TaskEvent::Prioritized(Prioritized { priority })),
            (start_at.is_some() || due_at.is_some()).then_some(TaskEvent::Scheduled(Scheduled { start_at, due_at })),
            estimate.map(|estimate_minutes| TaskEvent::Estimated(Estimated { estimate_minutes })),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Created {
    /// Creation as the command requests it, with a placement, assignees and labels that were checked.
    pub(super) fn by(
        create: &CreateTask,
        project_id: ProjectId,
        (column_id, rank): (ColumnId, Rank),
        assignee_ids: Vec<UserId>,
        label_ids: Vec<LabelId>,
    ) -> Self {
        Self {
            project_id: project_id.into(),
            title: String::from(create.title.clone()).into(),
            description: create.description.clone().map(String::from).unwrap_or_default().into(),
            status: Status::Todo.into(),
            column_id: column_id.into(),
            rank: rank.into(),
            priority: create.priority.into(),
            assignee_ids: assignee_ids.into(),
            label_ids: label_ids.into(),
            start_at: create.start_at.map(Timestamp::from).into(),
            due_at: create.due_at.map(Timestamp::from).into(),
            estimate_minutes: create.estimate_minutes.map(|m| m.get()).into(),
            parent_id: create.parent_id.into(),
        }
    }
}

/// Names the field when the stated value is not the one it has.
fn differs<T: PartialEq>(field: &'static str, stated: &T, is: &T) -> Option<&'static str> {
    (stated != is).then_some(field)
}
