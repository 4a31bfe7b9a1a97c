//! `DELETE /v1/sessions/current`: sign out.

use axum::extract::State;
use http::StatusCode;
use taskfold_web::auth::Means;
use taskfold_web::problem::TokenProblems;
use taskfold_web::{Caller, Code, Problem};

use super::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;

/// Sign out: end the session and its refresh token. Its access token expires within 15 minutes.
#[utoipa::path(
    delete, path = "/v1/sessions/current", operation_id = "signOut", tag = "accounts",
    responses((status = 204, description = "Signed out"), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(State(app): State<App>, caller: Caller) -> Result<StatusCode, ApiError> {
    let session = match caller.means {
        Means::Session(session) => session,
        Means::ApiToken(_) => {
            return Err(Problem::new(Code::Forbidden, "An API token has no session: revoke the token instead").into());
        }
        Means::Outside => {
            return Err(
                Problem::new(Code::Forbidden, "The session belongs to the external issuer: sign out there").into()
            );
        }
    };
    sqlx::query!("UPDATE sessions SET ended_at = now() WHERE session_id = $1 AND ended_at IS NULL", session)
        .execute(&app.pool)
        .await
        .map_err(unavailable)?;
    Ok(StatusCode::NO_CONTENT)
}
