//! `POST /v1/accounts`: create an account.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use taskfold_domain::input::Name;
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::AccountProblems;
use taskfold_web::read::Body;
use taskfold_web::{Code, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::password::{self, NewPassword};
use super::tokens::unavailable;
use super::username::Username;
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::invitations;

const INVITED_ONLY: &str = "Accounts are created with the token of an invitation, which must be in force, and creates as many \
    accounts as it has uses";

/// Who may create an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignUp {
    #[default]
    Open,
    /// Whoever has an invitation to a project.
    Invited,
    /// Nobody; operators create accounts.
    Closed,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    username: Username,
    #[schema(example = "Ada Lark")]
    display_name: Name,
    password: NewPassword,
    /// Token of an invitation, where accounts are created by invitation only. It can create as many accounts as it has
    /// uses; creating one does not use it up.
    invitation: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Account {
    user_id: Uuid,
}

/// Create an account. The operator may require an invitation to a project for it, or allow nobody: 403. Common
/// passwords, and those that consist of the person's names, are refused.
#[utoipa::path(
    post, path = "/v1/accounts", operation_id = "createAccount", tag = "accounts",
    request_body = NewAccount,
    responses((status = 201, description = "Created", body = Account), AccountProblems)
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    Body(body): Body<NewAccount>,
) -> Result<(StatusCode, Json<Account>), ApiError> {
    let invitation = must_be_open(&app, &client, body.invitation.as_deref()).await?;
    let refused = |reason| audit::refused(Action::SignUp, &client, None, reason);
    let attempt = app.sign_in_attempts.begin_sign_up(client.address);
    let _attempt = attempt.inspect_err(|_| refused("too many accounts from this address"))?;
    let username = String::from(body.username);
    let in_use = || {
        refused("username in use");
        Problem::new(Code::AlreadyExists, "The username is already in use")
    };
    // Before the password is hashed, which is meant to cost something.
    let taken =
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM accounts WHERE username = $1) AS "taken!""#, username,);
    if taken.fetch_one(&app.pool).await.map_err(unavailable)? {
        return Err(in_use().into());
    }
    let user_id = app.clock.new_id();
    let names = [username.clone(), body.display_name.as_str().to_owned()];
    let hash = password::hash(&app, body.password, names, "/password").await?;
    let mut tx = app.pool.begin().await.map_err(unavailable)?;
    if let Some(invitation) = invitation
        && !invitations::count_sign_up(&mut tx, invitation).await.map_err(unavailable)?
    {
        refused("the invitation has created as many accounts as it has uses");
        return Err(Problem::new(Code::Forbidden, INVITED_ONLY).into());
    }
    let inserted = sqlx::query!(
        r#"
        INSERT INTO accounts (user_id, username, display_name, password_hash, created_at)
        VALUES ($1, $2, $3, $4, now())
        ON CONFLICT ON CONSTRAINT accounts_username_taken DO NOTHING
        "#,
        user_id,
        username,
        body.display_name.as_str(),
        hash,
    )
    .execute(&mut *tx)
    .await
    .map_err(unavailable)?;
    if inserted.rows_affected() == 0 {
        return Err(in_use().into());
    }
    tx.commit().await.map_err(unavailable)?;
    audit::done(Action::SignUp, &client, user_id, user_id);
    Ok((StatusCode::CREATED, Json(Account { user_id })))
}

/// Refuses a sign-up that the settings do not allow. Returns the invitation that allows it, where one is needed.
async fn must_be_open(app: &App, client: &Client, invitation: Option<&str>) -> Result<Option<Uuid>, ApiError> {
    let detail = match app.sign_up {
        SignUp::Open => return Ok(None),
        SignUp::Invited => {
            if let Some(token) = invitation
                && let Some(invitation) = invitations::in_force(app, token).await?
            {
                return Ok(Some(invitation));
            }
            INVITED_ONLY
        }
        SignUp::Closed => "Accounts are created by the operator",
    };
    audit::refused(Action::SignUp, client, None, "not open");
    Err(Problem::new(Code::Forbidden, detail).into())
}
