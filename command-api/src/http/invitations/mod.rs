//! Links by which people join a project.

/// Join by an invitation.
pub mod accept;
/// Invite; the link is shown once.
pub mod create;
/// The invitations of a project.
pub mod list;
/// What an invitation is to.
pub mod look;
/// Take an invitation back.
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
        .routes(routes!(look::handler))
        .routes(routes!(accept::handler))
}
