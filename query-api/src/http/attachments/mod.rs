//! Attachments of tasks, one operation per file.

/// Content of an attachment, or a range of it.
pub mod content;
/// List of the attachments of a task.
mod content_headers;
/// Headers of file content.
pub mod list;
/// Ranges of file content.
mod range;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::handler)).routes(routes!(content::handler))
}
