//! `POST /v1/sessions`: sign in.

use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::ids::UserId;
use taskfold_domain::limits::{SESSION_MAX_DAYS, USERNAME_MAX_CHARS};
use taskfold_web::audit::{self, Action};
use taskfold_web::client::{Client, client_network};
use taskfold_web::problem::AccountProblems;
use taskfold_web::read::Body;
use taskfold_web::{Code, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::password;
use super::tokens::{Tokens, digest, new_secret, unavailable};
use crate::http::app::App;
use crate::http::error::ApiError;

/// Days for which the row of a session that has ended is kept.
const ENDED_SESSION_DAYS: i32 = 30;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    #[schema(example = "ada-lark")]
    username: String,
    #[schema(format = Password)]
    password: String,
}

/// Sign in. The responses to a wrong username and to a wrong password are the same, and take the same time. After too
/// many failures, of one account or from one address, sign-ins are answered with 429 for some seconds.
#[utoipa::path(
    post, path = "/v1/sessions", operation_id = "signIn", tag = "accounts",
    request_body = Credentials,
    responses((status = 200, description = "Signed in", body = Tokens), AccountProblems)
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    Body(body): Body<Credentials>,
) -> Result<Tokens, ApiError> {
    let wrong = || Problem::new(Code::Unauthenticated, "The username or the password is wrong");
    // No account has such a name, and none needs to be remembered.
    if body.username.contains('\0') || body.username.len() > USERNAME_MAX_CHARS {
        audit::refused(Action::SignIn, &client, None, "impossible username");
        return Err(wrong().into());
    }
    let attempt = match app.sign_in_attempts.begin(&body.username, client.address) {
        Err(_) if has_signed_in_from(&app, &body.username, &client).await.map_err(unavailable)? => {
            app.sign_in_attempts.succeeded(&body.username, client.address);
            app.sign_in_attempts.begin(&body.username, client.address)
        }
        attempt => attempt,
    };
    let _attempt = attempt.inspect_err(|_| audit::refused(Action::SignIn, &client, None, "too many failures"))?;
    let account = sqlx::query!(
        r#"SELECT user_id, password_hash, disabled_at IS NOT NULL AS "disabled!" FROM accounts WHERE username = $1"#,
        body.username,
    )
    .fetch_optional(&app.pool)
    .await
    .map_err(unavailable)?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let tried = account.as_ref().map(|account| account.user_id);
    let is_right = password::verify(&app, body.password, stored.clone()).await.inspect_err(|_| {
        audit::refused(Action::SignIn, &client, tried, "too many passwords are being verified");
    })?;
    let Some((account, stored)) = account.filter(|_| is_right).zip(stored) else {
        app.sign_in_attempts.failed(&body.username, client.address);
        audit::refused(Action::SignIn, &client, tried, "wrong username or password");
        return Err(wrong().into());
    };
    if account.disabled {
        audit::refused(Action::SignIn, &client, Some(account.user_id), "disabled account");
        return Err(Problem::new(Code::Unauthenticated, "The account is disabled").into());
    }
    app.sign_in_attempts.succeeded(&body.username, client.address);

    let (user, session, refresh_token) = (account.user_id, app.clock.new_id(), new_secret(&app.clock));
    let opening = open_session(&app, (user, &stored), session, &refresh_token, &client);
    if !opening.await.map_err(unavailable)? {
        audit::refused(Action::SignIn, &client, Some(user), "changed meanwhile");
        return Err(wrong().into());
    }
    audit::done(Action::SignIn, &client, user, session);
    Tokens::new(&app, UserId(user), session, refresh_token)
}

/// Returns whether a session of the account was opened in the network of this client, also before a restart, or on
/// another instance.
async fn has_signed_in_from(app: &App, username: &str, client: &Client) -> sqlx::Result<bool> {
    let sessions = sqlx::query_scalar!(
        r#"
        SELECT DISTINCT s.address AS "address!" FROM sessions s JOIN accounts a USING (user_id)
        WHERE a.username = $1 AND s.address IS NOT NULL
        LIMIT 1000
        "#,
        username,
    );
    let here = client_network(client.address);
    let networks = sessions.fetch_all(&app.pool).await?.into_iter().filter_map(|address| address.parse().ok());
    Ok(networks.map(client_network).any(|network| network == here))
}

/// Inserts the session, and removes those of the user that ended long ago. `false` if the account was disabled, or got
/// another password, while this one was verified.
async fn open_session(
    app: &App,
    (user, stored): (Uuid, &str),
    session: Uuid,
    refresh_token: &str,
    client: &Client,
) -> sqlx::Result<bool> {
    let successor_key = app.clock.random_bytes(32);
    let opened = sqlx::query!(
        r#"
        WITH removed AS (
            DELETE FROM sessions
            WHERE user_id = $2 AND least(ended_at, expires_at) < now() - make_interval(days => $5::integer))
        INSERT INTO sessions
            (session_id, user_id, refresh_hash, successor_key, created_at, expires_at, user_agent, address)
        SELECT $1, a.user_id, $3, $4, now(), now() + make_interval(days => least($6::integer, $7::integer)), $8, $9
        FROM accounts a WHERE a.user_id = $2 AND a.password_hash = $10 AND a.disabled_at IS NULL
        FOR SHARE
        "#,
        session,
        user,
        digest(refresh_token),
        successor_key,
        ENDED_SESSION_DAYS,
        app.limits.session_days,
        SESSION_MAX_DAYS,
        client.user_agent,
        client.address.to_string(),
        stored,
    )
    .execute(&app.pool)
    .await?;
    Ok(opened.rows_affected() == 1)
}
