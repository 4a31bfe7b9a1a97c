//! `DELETE /v1/api-tokens/{token_id}`: revoke an API token.

use axum::extract::State;
use http::StatusCode;
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Path;
use taskfold_web::{Caller, Problem};
use uuid::Uuid;

use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;

/// Revoke an API token. Within 5 seconds it is refused everywhere, the streams that it opened have ended, and the
/// invitations, calendar links and tickets that it created are no longer accepted.
#[utoipa::path(
    delete, path = "/v1/api-tokens/{token_id}", operation_id = "revokeApiToken", tag = "api tokens",
    params(("token_id" = Uuid, Path, description = "the id of the token")),
    responses((status = 204, description = "Revoked"), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Path(token_id): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    caller.must_be_person()?;
    let revoked =
        sqlx::query!("DELETE FROM api_tokens WHERE token_id = $1 AND user_id = $2", token_id, caller.user_id.0,)
            .execute(&app.pool)
            .await
            .map_err(unavailable)?;
    if revoked.rows_affected() == 0 {
        return Err(Problem::not_found().into());
    }
    audit::done(Action::ApiTokenRevoke, &client, caller.user_id.0, token_id);
    Ok(StatusCode::NO_CONTENT)
}
