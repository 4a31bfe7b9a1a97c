use axum::extract::State;
use http::StatusCode;
use taskfold_web::auth::Means;
use taskfold_web::problem::TokenProblems;
use taskfold_web::{Caller, Code, Problem};

use super::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;

/// Sign out: the session's refresh token is worth nothing from now on. Its access token ends by itself within 15 minutes.
#[utoipa::path(
    delete, path = "/v1/sessions/current", operation_id = "signOut", tag = "accounts",
    responses((status = 204, description = "Signed out"), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(State(app): State<App>, caller: Caller) -> Result<StatusCode, ApiError> {
    let session = match caller.means {
        Means::Session(session) => session,
        Means::ApiToken(_) => {
            return Err(Problem::new(Code::Forbidden, "An API token has no session: revoke it").into());
        }
        Means::Outside => return Err(Problem::new(Code::Forbidden, "Sign out where you signed in").into()),
    };
    sqlx::query("UPDATE sessions SET ended_at = now() WHERE session_id = $1 AND ended_at IS NULL")
        .bind(session)
        .execute(&app.pool)
        .await
        .map_err(unavailable)?;
    Ok(StatusCode::NO_CONTENT)
}
