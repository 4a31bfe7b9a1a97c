//! Attachments of tasks, one operation per file.

/// Attach a file.
pub mod add;
/// The body of an upload, as a stream.
pub mod body;
/// Attaching of stored files.
pub mod commit;
/// The file in the body of a request.
mod content;
/// Name, type and digests that a request declares for its file.
pub mod declared;
/// Remove an attachment and its bytes.
pub mod remove;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(add::handler)).routes(routes!(remove::handler))
}
