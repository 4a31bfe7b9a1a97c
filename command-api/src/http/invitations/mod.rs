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
use uuid::Uuid;

use super::accounts::tokens::unavailable;
use super::app::App;
use super::error::ApiError;

pub use store::{count_sign_up, made};

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::handler))
        .routes(routes!(list::handler))
        .routes(routes!(revoke::handler))
        .routes(routes!(get::handler))
        .routes(routes!(accept::handler))
}

/// The invitation with this token, if somebody could join a project by it.
pub async fn in_force(app: &App, token: &str) -> Result<Option<Uuid>, ApiError> {
    let Some(invitation) = store::find(&app.pool, token).await.map_err(unavailable)? else { return Ok(None) };
    if !invitation.in_force || invitation.used_up {
        return Ok(None);
    }
    let project = app.engine.load_project(invitation.project()).await?;
    let carries = app.engine.carry_authority(&project, &[invitation.facts()?]).await? == [true];
    Ok(carries.then_some(invitation.id))
}
