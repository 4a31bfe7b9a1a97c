//! `POST /v1/sessions/refresh`: refresh a session.

use axum::extract::State;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use sqlx::PgConnection;
use taskfold_domain::ids::UserId;
use taskfold_domain::limits::{REFRESH_GRACE_SECONDS, SESSION_MAX_DAYS};
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::AccountProblems;
use taskfold_web::read::Body;
use taskfold_web::{Code, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::tokens::{Tokens, digest, unavailable};
use crate::http::app::App;
use crate::http::error::ApiError;

/// Replacements within the time in which a token may be used again.
const MAX_SUCCESSORS: usize = 32;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    refresh_token: String,
}

/// Refresh a session: replace its refresh token, and get a new access token. Within 10 seconds the same refresh token
/// gets the same successor, for two tabs at once and for a response that was lost. A refresh token that was replaced
/// earlier ends the session, because it must have been copied.
#[utoipa::path(
    post, path = "/v1/sessions/refresh", operation_id = "refreshSession", tag = "accounts",
    request_body = Refresh,
    responses((status = 200, description = "Refreshed", body = Tokens), AccountProblems)
)]
pub async fn handler(State(app): State<App>, client: Client, Body(body): Body<Refresh>) -> Result<Tokens, ApiError> {
    let mut tx = app.pool.begin().await.map_err(unavailable)?;
    let refreshed = refresh(&app, &mut tx, &body.refresh_token).await.map_err(unavailable)?;
    tx.commit().await.map_err(unavailable)?;
    let Some(Refreshed { user, session, successor }) = refreshed else {
        audit::refused(Action::Refresh, &client, None, "unknown, expired or replaced refresh token");
        return Err(Problem::new(Code::Unauthenticated, "The refresh token is not valid: sign in again").into());
    };
    audit::done(Action::Refresh, &client, user, session);
    Tokens::new(&app, UserId(user), session, successor)
}

struct Refreshed {
    user: Uuid,
    session: Uuid,
    /// The refresh token that replaces the one that was sent.
    successor: String,
}

/// Replaces a refresh token. `None`: it is not in force, and if it was replaced earlier, its session has ended.
async fn refresh(app: &App, db: &mut PgConnection, token: &str) -> sqlx::Result<Option<Refreshed>> {
    let spent = digest(token);
    // In a statement of its own: the next one then sees what another request with this token has done.
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended(encode($1::bytea, 'hex'), 0))", spent)
        .execute(&mut *db)
        .await?;
    let session = sqlx::query!(
        r#"
        SELECT session_id, user_id, successor_key, refresh_hash
        FROM sessions
        WHERE (refresh_hash = $1
               OR session_id = (SELECT session_id FROM spent_refresh_tokens WHERE refresh_hash = $1
                                AND spent_at > now() - make_interval(secs => $2))
                  AND successor_key IS NOT NULL)
          AND ended_at IS NULL AND expires_at > now()
          AND EXISTS (SELECT FROM accounts a WHERE a.user_id = sessions.user_id AND a.disabled_at IS NULL)
        "#,
        spent,
        f64::from(REFRESH_GRACE_SECONDS),
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(session) = session else {
        end_session_of(db, &spent).await?;
        return Ok(None);
    };
    let key = session.successor_key.unwrap_or_else(|| app.clock.random_bytes(32).to_vec());
    let is_current = session.refresh_hash == spent;
    let successor = match is_current {
        true => Some(successor(&key, token)),
        false => current_successor(&key, token, &session.refresh_hash),
    };
    // Without one, the release before replaced the token: the client signs in again, and nothing was copied.
    let Some(successor) = successor else { return Ok(None) };
    let refreshed = Refreshed { user: session.user_id, session: session.session_id, successor };
    if is_current && !replace(app, db, &spent, &refreshed, &key).await? {
        return Ok(None);
    }
    Ok(Some(refreshed))
}

/// The successor of a replaced token that is in force: another tab may have replaced the next ones too.
fn current_successor(key: &[u8], token: &str, in_force: &[u8]) -> Option<String> {
    let successors = std::iter::successors(Some(successor(key, token)), |next| Some(successor(key, next)));
    successors.take(MAX_SUCCESSORS).find(|candidate| digest(candidate) == in_force)
}

/// Replaces the token of the session. False: the session has ended meanwhile.
async fn replace(
    app: &App,
    db: &mut PgConnection,
    spent: &[u8],
    refreshed: &Refreshed,
    key: &[u8],
) -> sqlx::Result<bool> {
    let replaced = sqlx::query!(
        r#"
        UPDATE sessions
        SET refresh_hash = $2, successor_key = $3, refreshed_at = now(),
            expires_at = least(now() + make_interval(days => $4), created_at + make_interval(days => $5))
        WHERE session_id = $1 AND ended_at IS NULL
        "#,
        refreshed.session,
        digest(&refreshed.successor),
        key,
        app.limits.session_days,
        SESSION_MAX_DAYS,
    )
    .execute(&mut *db)
    .await?;
    if replaced.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO spent_refresh_tokens (refresh_hash, session_id, spent_at) VALUES ($1, $2, now())",
        spent,
        refreshed.session,
    )
    .execute(db)
    .await?;
    Ok(true)
}

/// Ends the session of a refresh token that was replaced.
async fn end_session_of(db: &mut PgConnection, spent: &[u8]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE sessions SET ended_at = now()
        WHERE ended_at IS NULL
          AND session_id IN (SELECT session_id FROM spent_refresh_tokens WHERE refresh_hash = $1)
        "#,
        spent,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The token that replaces another one: whoever sends the same token gets the same successor, and nobody else can
/// derive it.
#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn successor(key: &[u8], token: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(token.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_successor_for_each_key() {
        assert_eq!(successor(&[1; 32], "token"), successor(&[1; 32], "token"));
        assert_ne!(successor(&[1; 32], "token"), successor(&[2; 32], "token"));
        assert_ne!(successor(&[1; 32], "token"), successor(&[1; 32], "another"));
        assert_eq!(successor(&[1; 32], "token").len(), 43);
    }
}
