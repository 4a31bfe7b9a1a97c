//! Check that an event follows from the state before it: the `from` values must be those of the state.

use super::events::{Lifecycle, PlacedItem, TaskEvent};
use super::state::{Card, Checklist, Situation, Task};

/// Names the field where what was before is not what the event says. `None`: they agree.
fn differs<T: PartialEq>(field: &'static str, said: &T, was: &T) -> Option<&'static str> {
    (said != was).then_some(field)
}

impl Task {
    /// The field of which the event says another value before than the task has; `None` when it follows.
    pub fn contradicts(&self, event: &TaskEvent) -> Option<&'static str> {
        match (&self.situation, event) {
            (Situation::Absent, TaskEvent::Created(_)) => None,
            (Situation::Absent, _) | (_, TaskEvent::Created(_)) => Some("existence"),
            (Situation::Present(_), TaskEvent::Deleted(e)) => {
                let was_not_there =
                    (e.deleted_at.from.is_some() || e.deleted_by.from.is_some()).then_some("deleted_at");
                differs("deleted", &e.deleted.from, &false).or(was_not_there)
            }
            (Situation::Deleted { by, at, .. }, TaskEvent::Restored(e)) => differs("deleted", &e.deleted.from, &true)
                .or(differs("deleted_at", &e.deleted_at.from, &Some(*at)))
                .or(differs("deleted_by", &e.deleted_by.from, &Some(*by))),
            (Situation::Deleted { .. }, _) | (Situation::Present(_), TaskEvent::Restored(_)) => Some("deleted"),
            (Situation::Present(card), event) => card.contradicts(event),
        }
    }
}

impl Card {
    fn contradicts(&self, event: &TaskEvent) -> Option<&'static str> {
        match event {
            TaskEvent::Created(_) | TaskEvent::Deleted(_) | TaskEvent::Restored(_) => None,
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
            TaskEvent::Commented(e) => self.comments.iter().any(|c| c.id == e.comment.to.id).then_some("comment"),
            TaskEvent::CommentEdited(e) => {
                let said = &e.comment.from;
                let same = self.comment(said.id).is_some_and(|was| was.says(&said.text));
                (!same).then_some("comment")
            }
            TaskEvent::CommentRemoved(e) => {
                let said = &e.comment.from;
                let was = self.comment(said.id);
                let same = was.is_some_and(|was| was.author_id == said.author_id && was.says(&said.text));
                (!same).then_some("comment")
            }
            TaskEvent::AttachmentAdded(e) => {
                self.attachments.iter().any(|a| a.id == e.attachment.to.id).then_some("attachment")
            }
            TaskEvent::AttachmentRemoved(e) => (!self.attachments.contains(&e.attachment.from)).then_some("attachment"),
            TaskEvent::ChecklistAdded(e) => {
                self.checklists.iter().any(|c| c.id == e.checklist.to.id).then_some("checklist")
            }
            TaskEvent::ChecklistRenamed(e) => {
                let said = &e.checklist.from;
                let same = self.checklists.iter().any(|c| c.id == said.id && c.title == said.title);
                (!same).then_some("checklist")
            }
            TaskEvent::ChecklistRemoved(e) => (!self.checklists.contains(&e.checklist.from)).then_some("checklist"),
            TaskEvent::ChecklistItemAdded(e) => {
                let list = self.checklists.iter().find(|c| c.id == e.item.to.checklist_id);
                let new = list.is_some_and(|list| list.items.iter().all(|item| item.id != e.item.to.item.id));
                (!new).then_some("item")
            }
            TaskEvent::ChecklistItemChanged(e) => (!stands(&self.checklists, &e.item.from)).then_some("item"),
            TaskEvent::ChecklistItemRemoved(e) => (!stands(&self.checklists, &e.item.from)).then_some("item"),
            TaskEvent::Reparented(e) => differs("parent_id", &e.parent_id.from, &self.parent_id),
            TaskEvent::DependencyAdded(e) | TaskEvent::DependencyRemoved(e) => {
                differs("dependency_ids", &e.dependency_ids.from, &self.dependency_ids)
            }
            TaskEvent::ReactionAdded(e) => self.reactions.contains(&e.reaction.to).then_some("reaction"),
            TaskEvent::ReactionRemoved(e) => (!self.reactions.contains(&e.reaction.from)).then_some("reaction"),
            // Who is assigned or comments watches without having asked to, and may ask not to.
            TaskEvent::Watched(_) | TaskEvent::Unwatched(_) => None,
            TaskEvent::DueSoon(e) | TaskEvent::Overdue(e) => differs("due_stage", &e.due_stage.from, &self.due_stage),
        }
    }

    fn contradicts_step(&self, step: &Lifecycle) -> Option<&'static str> {
        let since = step.running_since.as_ref().and_then(|d| differs("running_since", &d.from, &self.running_since));
        let elapsed = step.elapsed_ms.as_ref().and_then(|d| differs("elapsed_ms", &d.from, &self.elapsed_ms));
        let reason = step.reason.as_ref().and_then(|d| differs("reason", &d.from, &self.reason));
        differs("status", &step.status.from, &self.status).or(since).or(elapsed).or(reason)
    }
}

/// Checks that the item is there, as it is said to be, behind the one that it is said to be behind.
fn stands(checklists: &[Checklist], said: &PlacedItem) -> bool {
    let Some(list) = checklists.iter().find(|c| c.id == said.checklist_id) else { return false };
    let Some(at) = list.items.iter().position(|item| item.id == said.item.id) else { return false };
    let after = at.checked_sub(1).and_then(|before| list.items.get(before)).map(|item| item.id);
    list.items.get(at) == Some(&said.item) && after == said.after
}
