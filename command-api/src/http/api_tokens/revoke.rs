//! `DELETE /v1/api-tokens/{token_id}`: revoke an API token.

use axum::extract::State;
use http::StatusCode;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Path;
use taskfold_web::{Caller, Problem};
use uuid::Uuid;

use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;

/// Revoke an API token. Within 5 seconds it is refused everywhere, and the streams that it opened have ended.
#[utoipa::path(
    delete, path = "/v1/api-tokens/{token_id}", operation_id = "revokeApiToken", tag = "api tokens",
    params(("token_id" = Uuid, Path, description = "the id of the token")),
    responses((status = 204, description = "Revoked"), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path(token_id): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    caller.must_be_person()?;
    let revoked =
        sqlx::query!("DELETE FROM api_tokens WHERE token_id = $1 AND user_id = $2", token_id, caller.user_id.0,)
            .execute(&app.pool)
            .await
            .map_err(unavailable)?;
    if revoked.rows_affected() == 0 { Err(Problem::not_found().into()) } else { Ok(StatusCode::NO_CONTENT) }
}
