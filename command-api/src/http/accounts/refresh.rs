//! `POST /v1/sessions/refresh`: refresh a session.

use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::ids::UserId;
use taskfold_web::problem::AccountProblems;
use taskfold_web::read::Body;
use taskfold_web::{Code, Problem};
use utoipa::ToSchema;

use super::tokens::{Tokens, digest, new_secret, unavailable};
use crate::http::app::App;
use crate::http::error::ApiError;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    refresh_token: String,
}

/// Refresh a session: replace its refresh token, and get a new access token. A refresh token that was replaced before
/// ends the session, because it must have been copied.
#[utoipa::path(
    post, path = "/v1/sessions/refresh", operation_id = "refreshSession", tag = "accounts",
    request_body = Refresh,
    responses((status = 200, description = "Refreshed", body = Tokens), AccountProblems)
)]
pub async fn handler(State(app): State<App>, Body(body): Body<Refresh>) -> Result<Tokens, ApiError> {
    let spent = digest(&body.refresh_token);
    let refresh_token = new_secret(&app.clock);
    let mut tx = app.pool.begin().await.map_err(unavailable)?;
    let session = sqlx::query!(
        r#"
        UPDATE sessions SET refresh_hash = $2, expires_at = now() + make_interval(days => $3)
        WHERE refresh_hash = $1 AND ended_at IS NULL AND expires_at > now()
        RETURNING session_id, user_id
        "#,
        spent,
        digest(&refresh_token),
        app.limits.session_days,
    )
    .fetch_optional(&mut *tx)
    .await
    .map_err(unavailable)?;
    if let Some(session) = &session {
        sqlx::query!(
            "INSERT INTO spent_refresh_tokens (refresh_hash, session_id) VALUES ($1, $2)",
            spent,
            session.session_id,
        )
        .execute(&mut *tx)
        .await
        .map_err(unavailable)?;
    } else {
        sqlx::query!(
            r#"
            UPDATE sessions SET ended_at = now()
            WHERE ended_at IS NULL
              AND session_id IN (SELECT session_id FROM spent_refresh_tokens WHERE refresh_hash = $1)
            "#,
            spent,
        )
        .execute(&mut *tx)
        .await
        .map_err(unavailable)?;
    }
    tx.commit().await.map_err(unavailable)?;
    let session =
        session.ok_or_else(|| Problem::new(Code::Unauthenticated, "The refresh token is not valid: sign in again"))?;
    Tokens::new(&app, UserId(session.user_id), session.session_id, refresh_token)
}
