//! What people should hear of, a file each.

/// A page of them, newest first.
pub mod list;
/// Which kinds one wants to hear of.
pub mod preferences;
/// Mark them as read.
pub mod read;
/// Which kinds one wants to hear of: change it.
pub mod set_preferences;
/// How many are unread.
mod unread;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
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

impl Kind {
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

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::handler))
        .routes(routes!(read::handler))
        .routes(routes!(preferences::handler))
        .routes(routes!(set_preferences::handler))
}
