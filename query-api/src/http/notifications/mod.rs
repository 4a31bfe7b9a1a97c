//! Notifications of the caller, one operation per file.

/// List of the notifications.
pub mod list;
/// Muted kinds of notifications.
pub mod preferences;
/// Marking notifications as read.
pub mod read;
/// Change of the muted kinds.
pub mod set_preferences;
/// Number of unread notifications.
mod unread;

use taskfold_domain::NotificationKind as Kind;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::handler))
        .routes(routes!(read::handler))
        .routes(routes!(preferences::handler))
        .routes(routes!(set_preferences::handler))
}
