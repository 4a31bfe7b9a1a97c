//! Notifications: the reasons for which people are notified.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Reason of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Kind)]
pub enum NotificationKind {
    /// A task was created in a project that the recipient watches.
    Created,
    /// The recipient was assigned.
    Assigned,
    /// The recipient was mentioned in a comment.
    Mentioned,
    /// Somebody commented on a task that the recipient watches.
    Commented,
    /// A task that the recipient watches was completed.
    Completed,
    /// A task that the recipient watches is due within a day.
    DueSoon,
    /// Its due time has passed.
    Overdue,
}

impl NotificationKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Assigned => "assigned",
            Self::Mentioned => "mentioned",
            Self::Commented => "commented",
            Self::Completed => "completed",
            Self::DueSoon => "due_soon",
            Self::Overdue => "overdue",
        }
    }
}
