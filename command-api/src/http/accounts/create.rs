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
    /// Token of an invitation, where accounts are created by invitation only. It is not used up.
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
    must_be_open(&app, &client, body.invitation.as_deref()).await?;
    let user_id = app.clock.new_id();
    let username = String::from(body.username);
    let names = [username.clone(), body.display_name.as_str().to_owned()];
    let hash = password::hash(&app, body.password, names, "/password").await?;
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
    .execute(&app.pool)
    .await
    .map_err(unavailable)?;
    if inserted.rows_affected() == 0 {
        audit::refused(Action::SignUp, &client, "username in use");
        return Err(Problem::new(Code::AlreadyExists, "The username is already in use").into());
    }
    audit::done(Action::SignUp, &client, user_id, user_id);
    Ok((StatusCode::CREATED, Json(Account { user_id })))
}

async fn must_be_open(app: &App, client: &Client, invitation: Option<&str>) -> Result<(), ApiError> {
    let detail = match app.sign_up {
        SignUp::Open => return Ok(()),
        SignUp::Invited => {
            if let Some(token) = invitation
                && invitations::is_in_force(app, token).await?
            {
                return Ok(());
            }
            "Accounts are created with the token of an invitation, which must be in force"
        }
        SignUp::Closed => "Accounts are created by the operator",
    };
    audit::refused(Action::SignUp, client, "not open");
    Err(Problem::new(Code::Forbidden, detail).into())
}
