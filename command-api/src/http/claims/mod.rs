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

use chrono::{DateTime, Utc};
use taskfold_commands::MadeInvitation;
use taskfold_domain::Role;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_web::Caller;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::accounts::tokens::unavailable;
use super::app::App;
use super::error::ApiError;
use super::invitations::made;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(offer::handler, withdraw::handler))
        .routes(routes!(list::handler))
        .routes(routes!(accept::handler))
}

/// An offer of a placeholder.
struct Offer {
    project_id: Uuid,
    offered_by: Uuid,
    offered_at: DateTime<Utc>,
    project_version: i64,
    made_position: i64,
    through_team: bool,
}

impl Offer {
    /// The authority behind it: that of inviting a viewer, since its maker offered it.
    fn authority(&self) -> MadeInvitation {
        made(Role::Viewer, self.offered_by, (self.project_version, self.made_position, self.through_team))
    }
}

/// The offers of the placeholder to the caller, newest first, of people who may still invite to their projects.
async fn offers_in_force(app: &App, caller: &Caller, placeholder: UserId) -> Result<Vec<Offer>, ApiError> {
    let offers = sqlx::query_as!(
        Offer,
        r#"
        SELECT project_id, offered_by, offered_at, project_version, coalesce(made_position, 0) AS "made_position!",
               through_team
        FROM placeholder_offers
        WHERE placeholder_id = $1 AND user_id = $2 AND taskfold_account_lives(offered_by)
          AND taskfold_token_lives(api_token_id)
        ORDER BY offered_at DESC
        "#,
        placeholder.0,
        caller.user_id.0,
    )
    .fetch_all(&app.pool)
    .await
    .map_err(unavailable)?;
    let mut in_force = Vec::with_capacity(offers.len());
    for offer in offers {
        let project_id = ProjectId(offer.project_id);
        let project = app.engine.load_project(project_id).await?;
        let is_member = app.engine.role_in(project_id, placeholder).await?.is_some();
        if is_member && app.engine.carry_authority(&project, &[offer.authority()]).await? == [true] {
            in_force.push(offer);
        }
    }
    Ok(in_force)
}
