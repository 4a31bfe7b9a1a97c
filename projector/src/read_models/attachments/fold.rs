//! Fold of events into files.

use taskfold_domain::TaskEvent;
use taskfold_domain::task::{Aspect, AttachmentChange};

use super::AttachmentRow;
use crate::decoded::{Decoded, NoRow};
use crate::tables::Tables;

pub fn apply(tables: &mut Tables, decoded: &Decoded<'_>, event: &TaskEvent) -> Result<(), NoRow> {
    match event.aspect() {
        Aspect::Attachment(AttachmentChange::Added(attachment)) => tables.attachments.put(AttachmentRow {
            task_id: decoded.id,
            attachment_id: attachment.id.0,
            project_id: decoded.project()?,
            author_id: attachment.author_id.0,
            file_name: attachment.file_name.clone(),
            content_type: attachment.content_type.clone(),
            size: attachment.size,
            sha256: attachment.sha256.clone(),
            created_at: decoded.logged.occurred_at,
            position: decoded.logged.position,
        }),
        Aspect::Attachment(AttachmentChange::Removed(removed)) => {
            tables.attachments.remove(&(decoded.id, removed.id.0));
        }
        Aspect::Created(_)
        | Aspect::Field
        | Aspect::Assignees(_)
        | Aspect::Status(_)
        | Aspect::Parent(_)
        | Aspect::Dependencies(_)
        | Aspect::Comment(_)
        | Aspect::Watcher(_)
        | Aspect::DueStage(_)
        | Aspect::Deletion(_) => {}
    }
    Ok(())
}
