//! Row of a file on a task.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::row::rows;

rows! {
    pub struct AttachmentRow in "attachments" version 1 digest "27ef186b-2146-586e-a33f-39515a3a0607"
        by (task_id, attachment_id): (Uuid, Uuid) {
        pub task_id: Uuid,
        pub attachment_id: Uuid,
        pub project_id: Uuid,
        pub author_id: Uuid,
        pub file_name: String,
        pub content_type: String,
        pub size: u64,
        pub sha256: String,
        pub created_at: DateTime<Utc>,
        pub position: i64,
    }
}
