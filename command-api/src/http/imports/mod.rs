//! Imports over HTTP.

/// Take an upload, and import it after the answer.
pub mod create;
/// How an import stands.
pub mod get;
/// Query parameters of a request for an import.
mod parameters;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create::handler)).routes(routes!(get::handler))
}
