//! `PUT /v1/me/password`: change the caller's password.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Body;
use taskfold_web::{Caller, Code, Problem};
use utoipa::ToSchema;

use super::password::{self, NewPassword};
use super::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    #[schema(format = Password)]
    current_password: String,
    new_password: NewPassword,
}

/// Change the caller's password, and end all their other sessions. API tokens stay: revoke them if somebody else may
/// have made them. 403 for a wrong current password, and for accounts of an external issuer, which have none.
#[utoipa::path(
    put, path = "/v1/me/password", operation_id = "changePassword", tag = "accounts",
    request_body = ChangePassword,
    responses((status = 204, description = "Changed"), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Body(body): Body<ChangePassword>,
) -> Result<StatusCode, ApiError> {
    caller.must_be_person()?;
    let account = sqlx::query!(
        "SELECT username, display_name, password_hash FROM accounts WHERE user_id = $1 AND disabled_at IS NULL",
        caller.user_id.0,
    )
    .fetch_optional(&app.pool)
    .await
    .map_err(unavailable)?
    .ok_or_else(|| Problem::from(taskfold_event_log::LapsedAuthority::AccountDisabled))?;
    let Some(stored) = account.password_hash else {
        return Err(Problem::new(Code::Forbidden, "The account belongs to the external issuer: change it there").into());
    };
    let (username, name) = (account.username.unwrap_or_default(), account.display_name.unwrap_or_default());
    let refused = |reason| audit::refused(Action::PasswordChange, &client, Some(caller.user_id.0), reason);
    let attempt = app.sign_in_attempts.begin(&username, client.address);
    let _attempt = attempt.inspect_err(|_| refused("too many failures"))?;
    let verified = password::verify(&app, body.current_password, Some(stored.clone())).await;
    if !verified.inspect_err(|_| refused("too many passwords are being verified"))? {
        app.sign_in_attempts.failed(&username, client.address);
        refused("wrong current password");
        return Err(Problem::new(Code::Forbidden, "The current password is wrong").into());
    }
    let hash = password::hash(&app, body.new_password, [username, name], "/new_password").await?;
    let mut tx = app.pool.begin().await.map_err(unavailable)?;
    // The current password must still be that one.
    let changed = sqlx::query!(
        "UPDATE accounts SET password_hash = $2 WHERE user_id = $1 AND password_hash = $3 AND disabled_at IS NULL",
        caller.user_id.0,
        hash,
        stored,
    )
    .execute(&mut *tx)
    .await
    .map_err(unavailable)?;
    if changed.rows_affected() == 0 {
        return Err(Problem::new(Code::Forbidden, "The current password is wrong").into());
    }
    sqlx::query!(
        r#"
        UPDATE sessions SET ended_at = now()
        WHERE user_id = $1 AND ended_at IS NULL AND session_id IS DISTINCT FROM $2
        "#,
        caller.user_id.0,
        caller.authority().session,
    )
    .execute(&mut *tx)
    .await
    .map_err(unavailable)?;
    tx.commit().await.map_err(unavailable)?;
    audit::done(Action::PasswordChange, &client, caller.user_id.0, caller.user_id.0);
    Ok(StatusCode::NO_CONTENT)
}
