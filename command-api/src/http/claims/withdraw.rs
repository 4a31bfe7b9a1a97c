//! `DELETE /v1/projects/{project_id}/members/{user_id}/claim`: withdraw the offer of a placeholder, or undo its claim.

use axum::extract::State;
use http::StatusCode;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Path;
use taskfold_web::{Caller, Problem};

use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;

/// Withdraw the offer of a placeholder, or undo that it was accepted: it is shown under its imported name again. For
/// members who may invite.
#[utoipa::path(
    delete, path = "/v1/projects/{project_id}/members/{user_id}/claim", operation_id = "withdrawClaim",
    tag = "invitations",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("user_id" = Uuid, Path, description = "the placeholder")
    ),
    responses((status = 204, description = "Withdrawn"), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path((project_id, placeholder)): Path<(ProjectId, UserId)>,
) -> Result<StatusCode, ApiError> {
    caller.must_reach(project_id)?;
    app.engine.must_let_see_invitations(project_id, caller.user_id).await?;
    let was_there = sqlx::query_scalar!(
        r#"
        WITH offer AS (
            DELETE FROM placeholder_offers WHERE project_id = $1 AND placeholder_id = $2 RETURNING placeholder_id),
        claim AS (
            DELETE FROM placeholder_claims WHERE project_id = $1 AND placeholder_id = $2 RETURNING placeholder_id)
        SELECT EXISTS (SELECT FROM offer UNION ALL SELECT FROM claim) AS "was_there!"
        "#,
        project_id.0,
        placeholder.0,
    )
    .fetch_one(&app.pool)
    .await
    .map_err(unavailable)?;
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found().into()) }
}
