//! `POST /v1/me/claims/{placeholder_id}/accept`: accept an offered placeholder.

use axum::extract::State;
use http::StatusCode;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Path;
use taskfold_web::{Caller, Problem};
use uuid::Uuid;

use super::authority as authority_of;
use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::authority;
use crate::http::error::ApiError;

/// Accept a placeholder that is offered to the caller: it is shown under the caller's name from now on, and cannot be
/// offered again. 404 if no offer is in force: its maker must still be allowed to invite to the project.
#[utoipa::path(
    post, path = "/v1/me/claims/{placeholder_id}/accept", operation_id = "acceptClaim", tag = "invitations",
    params(("placeholder_id" = Uuid, Path, description = "the placeholder")),
    responses((status = 204, description = "Accepted"), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Path(placeholder): Path<UserId>,
) -> Result<StatusCode, ApiError> {
    caller.must_be_person()?;
    let Some(offer) = offer_in_force(&app, &caller, placeholder).await? else {
        audit::refused(Action::PlaceholderClaim, &client, "no offer in force");
        return Err(Problem::not_found().into());
    };
    let (mut tx, _) = authority::begin(&app, &caller).await?;
    let claimed = sqlx::query!(
        "UPDATE accounts SET claimed_by = $2 WHERE user_id = $1 AND username LIKE '~%' AND claimed_by IS NULL",
        placeholder.0,
        caller.user_id.0,
    )
    .execute(&mut *tx)
    .await
    .map_err(unavailable)?;
    // It may have been withdrawn, or replaced, since it was judged.
    let offered = sqlx::query!(
        r#"
        DELETE FROM placeholder_offers
        WHERE project_id = $1 AND placeholder_id = $2 AND user_id = $3 AND offered_by = $4 AND project_version = $5
        "#,
        offer.project_id,
        placeholder.0,
        caller.user_id.0,
        offer.offered_by,
        offer.project_version,
    )
    .execute(&mut *tx)
    .await
    .map_err(unavailable)?;
    if claimed.rows_affected() == 0 || offered.rows_affected() == 0 {
        return Err(Problem::not_found().into());
    }
    sqlx::query!("DELETE FROM placeholder_offers WHERE placeholder_id = $1", placeholder.0)
        .execute(&mut *tx)
        .await
        .map_err(unavailable)?;
    tx.commit().await.map_err(unavailable)?;
    audit::done(Action::PlaceholderClaim, &client, caller.user_id.0, placeholder.0);
    Ok(StatusCode::NO_CONTENT)
}

struct Offer {
    project_id: Uuid,
    offered_by: Uuid,
    project_version: i64,
}

/// An offer of the placeholder to the caller, by somebody who may still invite to its project.
async fn offer_in_force(app: &App, caller: &Caller, placeholder: UserId) -> Result<Option<Offer>, ApiError> {
    let offers = sqlx::query_as!(
        Offer,
        r#"
        SELECT project_id, offered_by, project_version FROM placeholder_offers
        WHERE placeholder_id = $1 AND user_id = $2 AND taskfold_account_lives(offered_by)
          AND taskfold_token_lives(api_token_id)
        "#,
        placeholder.0,
        caller.user_id.0,
    )
    .fetch_all(&app.pool)
    .await
    .map_err(unavailable)?;
    for offer in offers {
        let project_id = ProjectId(offer.project_id);
        let project = app.engine.load_project(project_id).await?;
        let made = authority_of(offer.offered_by, offer.project_version);
        let is_member = app.engine.role_in(project_id, placeholder).await?.is_some();
        if is_member && app.engine.carry_authority(&project, &[made]).await? == [true] {
            return Ok(Some(offer));
        }
    }
    Ok(None)
}
