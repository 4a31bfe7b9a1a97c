//! Row of a notification: one person, notified of one event.

use chrono::{DateTime, Utc};
use taskfold_domain::NotificationKind;
use uuid::Uuid;

use crate::row::rows;

rows! {
    pub struct NotificationRow in "notifications" version 2 digest "58fe3dad-7790-5ee4-8f67-16a466ecacdc"
        by (notification_id): Uuid {
        pub notification_id: Uuid,
        pub user_id: Uuid,
        pub position: i64,
        pub kind: NotificationKind,
        pub project_id: Uuid,
        pub task_id: Uuid,
        pub comment_id: Option<Uuid>,
        pub actor_id: Uuid,
        pub occurred_at: DateTime<Utc>,
    }
}
