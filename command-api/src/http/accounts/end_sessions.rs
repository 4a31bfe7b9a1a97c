//! `DELETE /v1/me/sessions`: end all other sessions of the caller.

use axum::extract::State;
use http::StatusCode;
use taskfold_domain::ids::UserId;
use taskfold_web::Caller;
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::TokenProblems;
use uuid::Uuid;

use super::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;

/// End all sessions of the caller but the one of this request. Within 2 seconds their access tokens, tickets and streams
/// end too. API tokens stay.
#[utoipa::path(
    delete, path = "/v1/me/sessions", operation_id = "endOtherSessions", tag = "accounts",
    responses((status = 204, description = "Ended"), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(State(app): State<App>, client: Client, caller: Caller) -> Result<StatusCode, ApiError> {
    caller.must_be_person()?;
    let own = caller.authority().session;
    end_sessions(&app, caller.user_id, None, own).await?;
    audit::done(Action::SessionEnd, &client, caller.user_id.0, caller.user_id.0);
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the sessions of a user: one, or all but one. Returns how many were open.
pub async fn end_sessions(app: &App, user: UserId, only: Option<Uuid>, except: Option<Uuid>) -> Result<u64, ApiError> {
    let ended = sqlx::query!(
        r#"
        UPDATE sessions SET ended_at = now()
        WHERE user_id = $1 AND ended_at IS NULL
          AND ($2::uuid IS NULL OR session_id = $2) AND session_id IS DISTINCT FROM $3
        "#,
        user.0,
        only,
        except,
    )
    .execute(&app.pool)
    .await
    .map_err(unavailable)?;
    Ok(ended.rows_affected())
}
