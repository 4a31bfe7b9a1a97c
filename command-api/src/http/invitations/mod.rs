//! Invitation links, by which people join a project.

/// Join a project by an invitation.
pub mod accept;
/// Create an invitation link, for any role that the caller may give to a new member.
pub mod create;
/// Get an invitation.
pub mod get;
/// List the invitations of a project, oldest first, including expired, revoked and used ones.
pub mod list;
/// Revoke an invitation.
pub mod revoke;
/// Invitations and their uses in the database.
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::handler))
        .routes(routes!(list::handler))
        .routes(routes!(revoke::handler))
        .routes(routes!(get::handler))
        .routes(routes!(accept::handler))
}
