//! Claims of placeholders: an imported person without an account is shown as the real person, after an admin of the
//! project has offered it and the person has accepted.

/// Accept an offered placeholder.
pub mod accept;
/// List the placeholders that are offered to the caller.
pub mod list;
/// Offer a placeholder to a person.
pub mod offer;
/// Withdraw the offer of a placeholder.
pub mod withdraw;

use taskfold_domain::ids::UserId;
use taskfold_domain::{Role, project};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(offer::handler, withdraw::handler))
        .routes(routes!(list::handler))
        .routes(routes!(accept::handler))
}

/// The authority behind an offer: that of inviting a viewer, since its maker offered it.
fn authority(offered_by: uuid::Uuid, project_version: i64) -> project::Invitation {
    let (made_by, made_at) = (UserId(offered_by), project_version.unsigned_abs());
    project::Invitation { role: Role::Viewer, made_by, made_at }
}
