//! Files on a task, an operation a file.

/// Attach a file: the body as it is, or a form with one file.
pub mod add;
/// Where in a request the file is.
mod bytes;
/// Remove an attachment: one's own, or as an admin any.
pub mod remove;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(add::handler)).routes(routes!(remove::handler))
}
