use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::ids::UserId;
use taskfold_web::problem::AccountProblems;
use taskfold_web::read::Body;
use taskfold_web::{Code, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::tokens::{SESSION_DAYS, Tokens, digest, new_secret, unavailable};
use crate::http::app::App;
use crate::http::error::ApiError;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    refresh_token: String,
}

/// Replace a refresh token by a new one, with a new access token. A token that was replaced before ends its session:
/// somebody has a copy.
#[utoipa::path(
    post, path = "/v1/sessions/refresh", operation_id = "refreshSession", tag = "accounts",
    request_body = Refresh,
    responses((status = 200, description = "Refreshed", body = Tokens), AccountProblems)
)]
pub async fn handler(State(app): State<App>, Body(body): Body<Refresh>) -> Result<Tokens, ApiError> {
    let spent = digest(&body.refresh_token);
    let refresh_token = new_secret();
    let mut tx = app.pool.begin().await.map_err(unavailable)?;
    let session: Option<(Uuid, Uuid)> = sqlx::query_as(
        "UPDATE sessions SET refresh_hash = $2, expires_at = now() + make_interval(days => $3) \
         WHERE refresh_hash = $1 AND ended_at IS NULL AND expires_at > now() RETURNING session_id, user_id",
    )
    .bind(&spent)
    .bind(digest(&refresh_token))
    .bind(SESSION_DAYS)
    .fetch_optional(&mut *tx)
    .await
    .map_err(unavailable)?;
    if let Some((session, _)) = session {
        sqlx::query("INSERT INTO spent_refresh_tokens (refresh_hash, session_id) VALUES ($1, $2)")
            .bind(&spent)
            .bind(session)
            .execute(&mut *tx)
            .await
            .map_err(unavailable)?;
    } else {
        sqlx::query(
            "UPDATE sessions SET ended_at = now() WHERE ended_at IS NULL AND session_id IN \
             (SELECT session_id FROM spent_refresh_tokens WHERE refresh_hash = $1)",
        )
        .bind(&spent)
        .execute(&mut *tx)
        .await
        .map_err(unavailable)?;
    }
    tx.commit().await.map_err(unavailable)?;
    let (session, user) = session
        .ok_or_else(|| Problem::new(Code::Unauthenticated, "The refresh token is not in force: sign in again"))?;
    Tokens::new(&app, UserId(user), session, refresh_token)
}
