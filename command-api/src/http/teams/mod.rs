//! Commands on teams, one operation per file.

/// Create a team.
pub mod create;
/// Delete a team.
pub mod delete;
/// Rename a team (RFC 7396 merge patch).
pub mod edit;
/// Remove a member of a team.
pub mod remove_member;
/// Add a member to a team, or change their role in it.
pub mod set_member;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::handler))
        .routes(routes!(edit::handler))
        .routes(routes!(delete::handler))
        .routes(routes!(set_member::handler))
        .routes(routes!(remove_member::handler))
}
