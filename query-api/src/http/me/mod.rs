//! Reads of the caller's own account, tasks and filters.

/// The caller's saved filters.
pub mod filters;
/// The caller's account.
pub mod get;
/// Tasks that are assigned to the caller.
pub mod tasks;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get::handler)).routes(routes!(tasks::handler)).merge(filters::router())
}
