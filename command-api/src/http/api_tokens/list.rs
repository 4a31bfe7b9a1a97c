//! `GET /v1/api-tokens`: list the caller's API tokens, oldest first, including expired ones but not revoked ones.

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::Uri;
use serde::Serialize;
use taskfold_web::page::Page;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Query;
use taskfold_web::{Access, Caller};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::page::{ListResponse, Params};

/// An API token, without its secret.
#[derive(Serialize, ToSchema)]
pub struct ApiToken {
    id: Uuid,
    name: String,
    #[schema(value_type = Access)]
    access: String,
    delegates: bool,
    project_id: Option<Uuid>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    /// Rounded to minutes.
    last_used_at: Option<DateTime<Utc>>,
}

/// List the caller's API tokens, oldest first, including expired ones but not revoked ones.
#[utoipa::path(
    get, path = "/v1/api-tokens", operation_id = "listApiTokens", tag = "api tokens",
    params(Params),
    responses(
        (status = 200, description = "A page of tokens", body = Page<ApiToken>),
        TokenProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Query(params): Query<Params>,
) -> Result<ListResponse<ApiToken>, ApiError> {
    caller.must_be_person()?;
    let page = params.page_of("api tokens", caller.user_id.0)?;
    let tokens = sqlx::query_as!(
        ApiToken,
        r#"
        SELECT token_id AS id, name, access, delegates, project_id, created_at, expires_at, last_used_at
        FROM api_tokens
        WHERE user_id = $1 AND token_id > $2
        ORDER BY token_id
        LIMIT $3
        "#,
        caller.user_id.0,
        page.after(),
        page.row_limit(),
    )
    .fetch_all(&app.pool)
    .await
    .map_err(unavailable)?;
    Ok(page.response(&uri, tokens, |token| token.id))
}
