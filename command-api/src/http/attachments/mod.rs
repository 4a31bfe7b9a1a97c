//! Files on a task, an operation a file.

/// Attach a file: the body as it is, or a form with one file.
pub mod add;
/// The body of an upload, as a stream.
pub mod body;
/// The file within a request.
mod bytes;
/// From a stored file to its event.
pub mod commit;
/// Name, type and digests that a request declares for its file.
pub mod declared;
/// Remove an attachment: one's own, or as an admin any.
pub mod remove;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(add::handler)).routes(routes!(remove::handler))
}
