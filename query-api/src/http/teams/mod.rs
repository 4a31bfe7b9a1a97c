//! Reads of teams, one operation per file.

/// Changes of a team.
pub mod events;
/// One team.
pub mod get;
/// The caller's teams.
pub mod list;
/// Members of a team.
pub mod members;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::handler))
        .routes(routes!(get::handler))
        .routes(routes!(members::handler))
        .routes(routes!(events::handler))
}
