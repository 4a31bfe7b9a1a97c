//! Commands on a team, a file each.

/// Create a team, its caller the owner.
pub mod create;
/// Delete a team: it gives nobody a role any more.
pub mod delete;
/// Rename a team (RFC 7396 merge patch).
pub mod edit;
/// Remove somebody; anyone may leave.
pub mod remove_member;
/// Add somebody, or change their role.
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
