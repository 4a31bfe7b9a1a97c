//! `POST /v1/me/claims/{placeholder_id}/accept`: accept an offered placeholder.

use axum::extract::State;
use http::StatusCode;
use taskfold_domain::ids::UserId;
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Path;
use taskfold_web::{Caller, Problem};

use super::offers_in_force;
use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::authority;
use crate::http::error::ApiError;

/// Accept a placeholder that is offered to the caller: it is shown under the caller's name from now on, in each project
/// that offers it. 404 if no offer is in force: its maker must still be allowed to invite to the project.
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
    let offers = offers_in_force(&app, &caller, placeholder).await?;
    let (mut tx, _) = authority::begin(&app, &caller).await?;
    let mut claimed = 0;
    for offer in offers {
        // It may have been withdrawn, or replaced, since it was judged.
        let claim = sqlx::query!(
            r#"
            WITH offered AS (
                DELETE FROM placeholder_offers
                WHERE project_id = $1 AND placeholder_id = $2 AND user_id = $3 AND offered_by = $4
                  AND project_version = $5
                RETURNING project_id, placeholder_id, user_id)
            INSERT INTO placeholder_claims (project_id, placeholder_id, claimed_by)
            SELECT o.project_id, o.placeholder_id, o.user_id FROM offered o JOIN accounts a ON a.user_id = o.placeholder_id
            WHERE a.username LIKE '~%'
            ON CONFLICT DO NOTHING
            "#,
            offer.project_id,
            placeholder.0,
            caller.user_id.0,
            offer.offered_by,
            offer.project_version,
        );
        claimed += claim.execute(&mut *tx).await.map_err(unavailable)?.rows_affected();
    }
    if claimed == 0 {
        audit::refused(Action::PlaceholderClaim, &client, Some(caller.user_id.0), "no offer in force");
        return Err(Problem::not_found().into());
    }
    tx.commit().await.map_err(unavailable)?;
    audit::done(Action::PlaceholderClaim, &client, caller.user_id.0, placeholder.0);
    Ok(StatusCode::NO_CONTENT)
}
