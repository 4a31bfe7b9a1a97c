//! `PUT /v1/projects/{project_id}/members/{user_id}/claim`: offer a placeholder to the person for whom it stands.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use taskfold_domain::Role;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::{Body, Path};
use taskfold_web::{Caller, Problem};
use utoipa::ToSchema;

use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::authority;
use crate::http::error::ApiError;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferClaim {
    /// The person, who must have an account.
    user_id: UserId,
}

/// Offer a placeholder, an imported person without an account, to the person for whom it stands. For members who may
/// invite. When the person accepts, the placeholder is shown under their name, in this project; others have
/// offers of their own. Another offer in the same project replaces this one.
#[utoipa::path(
    put, path = "/v1/projects/{project_id}/members/{user_id}/claim", operation_id = "offerClaim", tag = "invitations",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("user_id" = Uuid, Path, description = "the placeholder, a member of the project whose username begins with `~`")
    ),
    request_body = OfferClaim,
    responses((status = 204, description = "Offered"), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path((project_id, placeholder)): Path<(ProjectId, UserId)>,
    Body(body): Body<OfferClaim>,
) -> Result<StatusCode, ApiError> {
    caller.must_reach(project_id)?;
    let made = app.engine.must_let_invite(project_id, caller.user_id, Role::Viewer).await?;
    if app.engine.role_in(project_id, placeholder).await?.is_none() {
        return Err(Problem::not_found().into());
    }
    let (mut tx, _) = authority::begin(&app, &caller).await?;
    let offered = sqlx::query!(
        r#"
        INSERT INTO placeholder_offers
            (project_id, placeholder_id, user_id, offered_by, project_version, offered_at, api_token_id, made_position,
             through_team)
        SELECT $1, p.user_id, u.user_id, $4, $5, now(), $6, $7, $8
        FROM accounts p, accounts u
        WHERE p.user_id = $2 AND p.username LIKE '~%'
          AND NOT EXISTS (SELECT FROM placeholder_claims c WHERE c.project_id = $1 AND c.placeholder_id = $2)
          AND u.user_id = $3 AND u.username NOT LIKE '~%' AND u.disabled_at IS NULL
        ON CONFLICT (project_id, placeholder_id) DO UPDATE
        SET user_id = excluded.user_id, offered_by = excluded.offered_by, project_version = excluded.project_version,
            offered_at = excluded.offered_at, api_token_id = excluded.api_token_id,
            made_position = excluded.made_position, through_team = excluded.through_team
        "#,
        project_id.0,
        placeholder.0,
        body.user_id.0,
        caller.user_id.0,
        i64::try_from(made.invitation.made_at).unwrap_or(i64::MAX),
        caller.authority().api_token,
        made.position,
        made.invitation.through_team,
    )
    .execute(&mut *tx)
    .await
    .map_err(unavailable)?;
    if offered.rows_affected() == 0 {
        let detail = "must be a person with an account, and the member an unclaimed placeholder";
        return Err(Problem::invalid_field("/user_id", detail).into());
    }
    tx.commit().await.map_err(unavailable)?;
    Ok(StatusCode::NO_CONTENT)
}
