use taskfold_domain::TaskEvent;

use super::{Decoded, NoRow};
use crate::rows::AttachmentRow;
use crate::tables::Tables;

impl Tables {
    pub fn apply_attachment(&mut self, decoded: &Decoded<'_>, event: &TaskEvent) -> Result<(), NoRow> {
        let logged = decoded.logged;
        match event {
            TaskEvent::AttachmentAdded(e) => {
                let attachment = &e.attachment.to;
                self.attachments.put(AttachmentRow {
                    task_id: decoded.id,
                    attachment_id: attachment.id.0,
                    project_id: decoded.project()?,
                    author_id: attachment.author_id.0,
                    file_name: attachment.file_name.clone(),
                    content_type: attachment.content_type.clone(),
                    size: attachment.size,
                    sha256: attachment.sha256.clone(),
                    created_at: logged.occurred_at,
                    position: logged.position,
                });
            }
            TaskEvent::AttachmentRemoved(e) => self.attachments.remove(&(decoded.id, e.attachment.from.id.0)),
            _ => {}
        }
        Ok(())
    }
}
