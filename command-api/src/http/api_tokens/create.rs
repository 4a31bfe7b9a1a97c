use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use taskfold_domain::Timestamp;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::input::{Name, Time};
use taskfold_event_log::clock;
use taskfold_web::auth::API_TOKEN_PREFIX;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Body;
use taskfold_web::{Access, Caller, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::accounts::tokens::{digest, new_secret, unavailable};
use crate::http::app::App;
use crate::http::error::ApiError;

/// More than anybody keeps in view.
const EACH: i64 = 100;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiToken {
    /// What it is for.
    #[schema(min_length = 1, max_length = 500, example = "nightly report")]
    name: Name,
    access: Access,
    /// Good for this project of the caller's alone.
    project_id: Option<ProjectId>,
    /// When it ends by itself; without it, never.
    expires_at: Option<Time>,
}

#[derive(Serialize, ToSchema)]
pub struct MadeApiToken {
    id: Uuid,
    /// Keep it: it is not shown again.
    #[schema(example = "tfp_4yWbmPF6wUqQmA-c8PS1TqWyHZ4c9kPq0a7ab1Cw8lE")]
    token: String,
    name: String,
    access: Access,
    project_id: Option<ProjectId>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

/// Make a token for a script or a service. It does what its maker may do and no more: with access `read` no commands,
/// with a `project_id` nothing outside of that project. It is shown this once.
#[utoipa::path(
    post, path = "/v1/api-tokens", operation_id = "createApiToken", tag = "api tokens",
    request_body = NewApiToken,
    responses((status = 201, description = "Made", body = MadeApiToken), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<NewApiToken>,
) -> Result<MadeApiToken, ApiError> {
    caller.must_be_person()?;
    let expires_at = body.expires_at.map(|time| Timestamp::from(time).utc());
    let now = clock::now().utc();
    if expires_at.is_some_and(|end| end <= now) {
        return Err(Problem::invalid_field("/expires_at", "must be in the future").into());
    }
    if let Some(project) = body.project_id
        && app.engine.role_in(project, caller.user_id).await?.is_none()
    {
        return Err(Problem::invalid_field("/project_id", "must be a project of yours").into());
    }
    let (id, token) = (clock::new_id(), format!("{API_TOKEN_PREFIX}{}", new_secret()));
    let made = sqlx::query(
        "INSERT INTO api_tokens (token_id, user_id, name, secret_hash, access, project_id, created_at, expires_at) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE (SELECT count(*) FROM api_tokens WHERE user_id = $2) < $9",
    )
    .bind(id)
    .bind(caller.user_id.0)
    .bind(body.name.as_str())
    .bind(digest(&token))
    .bind(body.access.as_str())
    .bind(body.project_id.map(|project| project.0))
    .bind(now)
    .bind(expires_at)
    .bind(EACH)
    .execute(&app.pool)
    .await
    .map_err(unavailable)?;
    if made.rows_affected() == 0 {
        return Err(Problem::invalid_field("", format!("one has at most {EACH} API tokens: revoke some first")).into());
    }
    Ok(MadeApiToken {
        id,
        token,
        name: body.name.into(),
        access: body.access,
        project_id: body.project_id,
        created_at: now,
        expires_at,
    })
}

impl IntoResponse for MadeApiToken {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self)).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
