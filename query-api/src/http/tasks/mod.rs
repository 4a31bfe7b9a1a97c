//! Reads of a task, a file each.

/// What was said, and how it was edited.
pub mod comment_history;
/// What was said about it.
pub mod comments;
/// One task.
pub mod get;
/// What happened to it.
pub mod history;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get::handler))
        .routes(routes!(comments::handler))
        .routes(routes!(comment_history::handler))
        .routes(routes!(history::handler))
}
