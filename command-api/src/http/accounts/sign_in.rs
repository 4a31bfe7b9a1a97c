//! `POST /v1/sessions`: sign in.

use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::ids::UserId;
use taskfold_web::problem::AccountProblems;
use taskfold_web::read::Body;
use taskfold_web::{Code, Problem};
use utoipa::ToSchema;

use super::password;
use super::tokens::{Tokens, digest, new_secret, unavailable};
use crate::http::app::App;
use crate::http::error::ApiError;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    #[schema(example = "ada-lark")]
    username: String,
    #[schema(format = Password)]
    password: String,
}

/// Sign in. The responses to a wrong username and to a wrong password are the same, and take the same time.
#[utoipa::path(
    post, path = "/v1/sessions", operation_id = "signIn", tag = "accounts",
    request_body = Credentials,
    responses((status = 200, description = "Signed in", body = Tokens), AccountProblems)
)]
pub async fn handler(State(app): State<App>, Body(body): Body<Credentials>) -> Result<Tokens, ApiError> {
    let wrong = || Problem::new(Code::Unauthenticated, "The username or the password is wrong");
    if body.username.contains('\0') {
        return Err(wrong().into());
    }
    let account = sqlx::query!("SELECT user_id, password_hash FROM accounts WHERE username = $1", body.username)
        .fetch_optional(&app.pool)
        .await
        .map_err(unavailable)?;
    let user = account.as_ref().map(|account| account.user_id);
    let is_right = password::verify(&app, body.password, account.and_then(|account| account.password_hash)).await?;
    let user = user.filter(|_| is_right).ok_or_else(wrong)?;

    let (session, refresh_token) = (app.clock.new_id(), new_secret(&app.clock));
    sqlx::query!(
        r#"
        INSERT INTO sessions (session_id, user_id, refresh_hash, created_at, expires_at)
        VALUES ($1, $2, $3, now(), now() + make_interval(days => $4))
        "#,
        session,
        user,
        digest(&refresh_token),
        app.limits.session_days,
    )
    .execute(&app.pool)
    .await
    .map_err(unavailable)?;
    Tokens::new(&app, UserId(user), session, refresh_token)
}
