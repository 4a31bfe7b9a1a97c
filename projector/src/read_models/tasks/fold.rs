//! Fold of events into tasks.

use taskfold_domain::TaskEvent;
use taskfold_domain::ids::UserId;
use taskfold_domain::task::Fields;
use taskfold_domain::task::events::Created;
use taskfold_domain::task::{Aspect, AttachmentChange, CommentChange};

use super::TaskRow;
use crate::decoded::{Decoded, NoRow};
use crate::tables::{Keys, Tables};

pub fn keys(keys: &mut Keys, decoded: &Decoded<'_>, event: &TaskEvent) {
    if !matches!(event, TaskEvent::Created(_)) {
        keys.tasks.insert(decoded.id);
    }
}

/// Refuses an event of a task that has no row.
pub fn check(tables: &Tables, decoded: &Decoded<'_>, event: &TaskEvent) -> Result<(), NoRow> {
    let exists = matches!(event, TaskEvent::Created(_)) || tables.tasks.get(&decoded.id).is_some();
    exists.then_some(()).ok_or(NoRow("task"))
}

pub fn apply(tables: &mut Tables, decoded: &Decoded<'_>, event: &TaskEvent) -> Result<(), NoRow> {
    if let TaskEvent::Created(created) = event {
        tables.tasks.put(created_row(decoded, created));
        return Ok(());
    }
    let row = tables.tasks.get_mut(&decoded.id).ok_or(NoRow("task"))?;
    row.fields.apply(event);
    row.updated_at = decoded.logged.recorded_at;
    row.version = decoded.logged.sequence;
    row.position = decoded.logged.position;
    match event.aspect() {
        Aspect::Deletion(e) => {
            row.deleted = e.deleted.to;
            row.deleted_at = e.deleted_at.to.map(Into::into);
            row.deleted_by = e.deleted_by.to.map(Into::into);
        }
        Aspect::Comment(CommentChange::Added(_)) => row.comment_count += 1,
        Aspect::Comment(CommentChange::Removed(_)) => row.comment_count = row.comment_count.saturating_sub(1),
        Aspect::Attachment(AttachmentChange::Added(_)) => row.attachment_count += 1,
        Aspect::Attachment(AttachmentChange::Removed(_)) => {
            row.attachment_count = row.attachment_count.saturating_sub(1);
        }
        Aspect::Created(_)
        | Aspect::Field
        | Aspect::Assignees(_)
        | Aspect::Status(_)
        | Aspect::Parent(_)
        | Aspect::Dependencies(_)
        | Aspect::Comment(
            CommentChange::Edited(_) | CommentChange::ReactionAdded(_) | CommentChange::ReactionRemoved(_),
        )
        | Aspect::Watcher(_)
        | Aspect::DueStage(_) => {}
    }
    Ok(())
}

fn created_row(decoded: &Decoded<'_>, created: &Created) -> TaskRow {
    let logged = decoded.logged;
    TaskRow {
        task_id: decoded.id,
        fields: Fields::new(created, Some(UserId(logged.actor_id))),
        deleted: false,
        deleted_at: None,
        deleted_by: None,
        comment_count: 0,
        attachment_count: 0,
        created_at: logged.occurred_at,
        created_by: logged.actor_id,
        updated_at: logged.recorded_at,
        version: logged.sequence,
        position: logged.position,
    }
}
