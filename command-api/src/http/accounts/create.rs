//! `POST /v1/accounts`: create an account.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use taskfold_domain::input::Name;
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

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    username: Username,
    #[schema(example = "Ada Lark")]
    display_name: Name,
    password: NewPassword,
}

#[derive(Serialize, ToSchema)]
pub struct Account {
    user_id: Uuid,
}

/// Create an account.
#[utoipa::path(
    post, path = "/v1/accounts", operation_id = "createAccount", tag = "accounts",
    request_body = NewAccount,
    responses((status = 201, description = "Created", body = Account), AccountProblems)
)]
pub async fn handler(
    State(app): State<App>,
    Body(body): Body<NewAccount>,
) -> Result<(StatusCode, Json<Account>), ApiError> {
    let user_id = app.clock.new_id();
    let hash = password::hash(&app, body.password).await?;
    let inserted = sqlx::query!(
        r#"
        INSERT INTO accounts (user_id, username, display_name, password_hash, created_at)
        VALUES ($1, $2, $3, $4, now())
        ON CONFLICT ON CONSTRAINT accounts_username_taken DO NOTHING
        "#,
        user_id,
        String::from(body.username),
        body.display_name.as_str(),
        hash,
    )
    .execute(&app.pool)
    .await
    .map_err(unavailable)?;
    if inserted.rows_affected() == 0 {
        return Err(Problem::new(Code::AlreadyExists, "The username is already in use").into());
    }
    Ok((StatusCode::CREATED, Json(Account { user_id })))
}
