//! Imports, one operation per file.

/// Import a board of another program. The import continues after the response.
pub mod create;
/// Get the state of an import.
pub mod get;
/// Query parameters of a request for an import.
mod parameters;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create::handler)).routes(routes!(get::handler))
}
