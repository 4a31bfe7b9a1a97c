use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Kind)]
pub enum NotificationKind {
    /// A task was made in a project that one watches.
    Created,
    /// One was assigned.
    Assigned,
    /// One was named in a comment.
    Mentioned,
    /// Somebody commented on a task that one watches.
    Commented,
    /// A task that one watches was completed.
    Completed,
    /// A task that one watches is due within a day.
    DueSoon,
    /// It should be done by now.
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
