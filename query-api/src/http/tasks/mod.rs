//! Reads of tasks, one operation per file.

/// Changes of a comment.
pub mod comment_history;
/// Comments on a task.
pub mod comments;
/// One task.
pub mod get;
/// Changes of a task.
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
