use axum::extract::State;
use chrono::{DateTime, Utc};
use http::Uri;
use serde::Serialize;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Query;
use taskfold_web::{Access, Caller};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::page::{Page, Paged, Params};

/// An API token, without its secret.
#[derive(Serialize, ToSchema, sqlx::FromRow)]
pub struct ApiToken {
    #[sqlx(rename = "token_id")]
    id: Uuid,
    name: String,
    #[schema(value_type = Access)]
    access: String,
    project_id: Option<Uuid>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    /// To the minute.
    last_used_at: Option<DateTime<Utc>>,
}

/// The caller's API tokens, oldest first. Those that were revoked are gone; those that expired are still there.
#[utoipa::path(
    get, path = "/v1/api-tokens", operation_id = "listApiTokens", tag = "api tokens",
    params(Params),
    responses((status = 200, description = "A page of tokens", body = Page<ApiToken>), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Query(params): Query<Params>,
) -> Result<Paged<ApiToken>, ApiError> {
    caller.must_be_person()?;
    let asked = params.of_list("api tokens", caller.user_id.0)?;
    let tokens: Vec<ApiToken> = sqlx::query_as(
        "SELECT token_id, name, access, project_id, created_at, expires_at, last_used_at FROM api_tokens \
         WHERE user_id = $1 AND token_id > $2 ORDER BY token_id LIMIT $3",
    )
    .bind(caller.user_id.0)
    .bind(asked.after)
    .bind(asked.rows())
    .fetch_all(&app.pool)
    .await
    .map_err(unavailable)?;
    Ok(asked.page(&uri, tokens, |token| token.id))
}
