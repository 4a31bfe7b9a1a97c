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
