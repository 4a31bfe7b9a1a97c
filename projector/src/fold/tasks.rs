use taskfold_domain::TaskEvent;
use taskfold_domain::task::events::Created;
use taskfold_domain::task::{place_item, take_item};

use super::{Decoded, NoRow, watchers};
use crate::rows::TaskRow;
use crate::tables::{Keys, Tables};

pub fn keys(keys: &mut Keys, decoded: &Decoded<'_>, event: &TaskEvent) {
    let id = decoded.id;
    if !matches!(event, TaskEvent::Created(_)) {
        keys.tasks.insert(id);
    }
    // Whoever watches the project hears of its tasks.
    keys.projects.extend(decoded.logged.project_id);
    let comment = match event {
        TaskEvent::Commented(e) => Some(e.comment.to.id),
        TaskEvent::CommentEdited(e) => Some(e.comment.to.id),
        TaskEvent::CommentRemoved(e) => Some(e.comment.from.id),
        TaskEvent::ReactionAdded(e) => Some(e.reaction.to.comment_id),
        TaskEvent::ReactionRemoved(e) => Some(e.reaction.from.comment_id),
        _ => None,
    };
    keys.comments.extend(comment.map(|c| (id, c.0)));
}

impl Tables {
    fn create_task(&mut self, decoded: &Decoded<'_>, e: &Created) -> Result<(), NoRow> {
        let logged = decoded.logged;
        self.tasks.put(TaskRow {
            task_id: decoded.id,
            project_id: e.project_id.to.0,
            title: e.title.to.clone(),
            description: e.description.to.clone(),
            status: e.status.to,
            running_since: None,
            elapsed_ms: 0,
            reason: None,
            progress: None,
            column_id: e.column_id.to.0,
            rank: e.rank.to.as_str().to_owned(),
            priority: e.priority.to,
            assignee_ids: e.assignee_ids.to.iter().map(|u| u.0).collect(),
            label_ids: e.label_ids.to.iter().map(|l| l.0).collect(),
            start_at: e.start_at.to.map(Into::into),
            due_at: e.due_at.to.map(Into::into),
            estimate_minutes: e.estimate_minutes.to,
            parent_id: e.parent_id.to.map(|p| p.0),
            archived: false,
            deleted: false,
            deleted_at: None,
            deleted_by: None,
            checklists: Vec::new(),
            comment_count: 0,
            attachment_count: 0,
            dependency_ids: Vec::new(),
            watcher_ids: Vec::new(),
            due_stage: None,
            created_at: logged.occurred_at,
            created_by: logged.actor_id,
            updated_at: logged.recorded_at,
            version: logged.sequence,
            position: logged.position,
        });
        let row = self.tasks.get_mut(&decoded.id).ok_or(NoRow("task"))?;
        watchers::follow_from_start(row, logged.actor_id);
        self.notify_of_new(decoded, e);
        Ok(())
    }

    pub fn apply_task(&mut self, decoded: &Decoded<'_>, event: &TaskEvent) -> Result<(), NoRow> {
        let logged = decoded.logged;
        if let TaskEvent::Created(created) = event {
            self.create_task(decoded, created)?;
            return Ok(());
        }
        self.tasks.get(&decoded.id).ok_or(NoRow("task"))?;
        // What may fail comes first, so that an event is applied as a whole or not at all.
        self.apply_comment(decoded, event)?;
        self.apply_attachment(decoded, event)?;
        let row = self.tasks.get_mut(&decoded.id).ok_or(NoRow("task"))?;
        row.updated_at = logged.recorded_at;
        row.version = logged.sequence;
        row.position = logged.position;
        match event {
            TaskEvent::Created(_) => {}
            TaskEvent::Renamed(e) => row.title.clone_from(&e.title.to),
            TaskEvent::Described(e) => row.description.clone_from(&e.description.to),
            TaskEvent::Moved(e) => {
                if let Some(column_id) = &e.column_id {
                    row.column_id = column_id.to.0;
                }
                row.rank = e.rank.to.as_str().to_owned();
            }
            TaskEvent::Assigned(e) | TaskEvent::Unassigned(e) => {
                row.assignee_ids = e.assignee_ids.to.iter().map(|u| u.0).collect();
            }
            TaskEvent::Labeled(e) | TaskEvent::Unlabeled(e) => {
                row.label_ids = e.label_ids.to.iter().map(|l| l.0).collect();
            }
            TaskEvent::Prioritized(e) => row.priority = e.priority.to,
            TaskEvent::Scheduled(e) => {
                if let Some(start_at) = &e.start_at {
                    row.start_at = start_at.to.map(Into::into);
                }
                if let Some(due_at) = &e.due_at {
                    row.due_at = due_at.to.map(Into::into);
                    row.due_stage = None;
                }
            }
            TaskEvent::Estimated(e) => row.estimate_minutes = e.estimate_minutes.to,
            TaskEvent::Started(e)
            | TaskEvent::Paused(e)
            | TaskEvent::Resumed(e)
            | TaskEvent::Completed(e)
            | TaskEvent::Cancelled(e)
            | TaskEvent::Failed(e)
            | TaskEvent::Reopened(e) => {
                row.status = e.status.to;
                if let Some(since) = &e.running_since {
                    row.running_since = since.to.map(Into::into);
                }
                if let Some(elapsed) = &e.elapsed_ms {
                    row.elapsed_ms = elapsed.to;
                }
                if let Some(reason) = &e.reason {
                    row.reason.clone_from(&reason.to);
                }
            }
            TaskEvent::Progressed(e) => row.progress = e.progress.to,
            TaskEvent::Archived(e) | TaskEvent::Unarchived(e) => row.archived = e.archived.to,
            TaskEvent::Deleted(e) | TaskEvent::Restored(e) => {
                row.deleted = e.deleted.to;
                row.deleted_at = e.deleted_at.to.map(Into::into);
                row.deleted_by = e.deleted_by.to.map(|u| u.0);
            }
            TaskEvent::ChecklistAdded(e) => row.checklists.push(e.checklist.to.clone()),
            TaskEvent::ChecklistRenamed(e) => {
                if let Some(list) = row.checklists.iter_mut().find(|c| c.id == e.checklist.to.id) {
                    list.title.clone_from(&e.checklist.to.title);
                }
            }
            TaskEvent::ChecklistRemoved(e) => row.checklists.retain(|c| c.id != e.checklist.from.id),
            TaskEvent::ChecklistItemAdded(e) => place_item(&mut row.checklists, e.item.to.clone()),
            TaskEvent::ChecklistItemChanged(e) => {
                take_item(&mut row.checklists, &e.item.from);
                place_item(&mut row.checklists, e.item.to.clone());
            }
            TaskEvent::ChecklistItemRemoved(e) => take_item(&mut row.checklists, &e.item.from),
            TaskEvent::Commented(_) => row.comment_count += 1,
            TaskEvent::CommentRemoved(_) => row.comment_count = row.comment_count.saturating_sub(1),
            TaskEvent::AttachmentAdded(_) => row.attachment_count += 1,
            TaskEvent::AttachmentRemoved(_) => row.attachment_count = row.attachment_count.saturating_sub(1),
            TaskEvent::Reparented(e) => row.parent_id = e.parent_id.to.map(|p| p.0),
            TaskEvent::DependencyAdded(e) | TaskEvent::DependencyRemoved(e) => {
                row.dependency_ids = e.dependency_ids.to.iter().map(|t| t.0).collect();
            }
            TaskEvent::DueSoon(e) | TaskEvent::Overdue(e) => row.due_stage = e.due_stage.to,
            TaskEvent::CommentEdited(_)
            | TaskEvent::ReactionAdded(_)
            | TaskEvent::ReactionRemoved(_)
            | TaskEvent::Watched(_)
            | TaskEvent::Unwatched(_) => {}
        }
        watchers::follow(row, decoded.logged.actor_id, event);
        self.notify(decoded, event);
        Ok(())
    }
}
