//! `POST /v1/api-tokens`: create a token for a script or a service.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::ProjectId;
use taskfold_domain::input::{Name, Time};
use taskfold_domain::limits::{API_TOKEN_DEFAULT_DAYS, API_TOKENS_PER_USER};
use taskfold_domain::{Timestamp, patch};
use taskfold_web::audit::{self, Action};
use taskfold_web::auth::API_TOKEN_PREFIX;
use taskfold_web::client::Client;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Body;
use taskfold_web::{Access, Caller, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::accounts::tokens::{digest, new_secret, unavailable};
use crate::http::app::App;
use crate::http::authority;
use crate::http::error::ApiError;

const DEFAULT_LIFETIME: TimeDelta = TimeDelta::days(API_TOKEN_DEFAULT_DAYS);

/// A new API token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiToken {
    /// Purpose of the token.
    #[schema(min_length = 1, max_length = 500, example = "nightly report")]
    name: Name,
    access: Access,
    /// Restricts the token to this project of the caller.
    project_id: Option<ProjectId>,
    /// The token may create invitations, calendar links and stream tickets, which end with it.
    #[serde(default)]
    delegates: bool,
    /// Time at which it expires: by default in 90 days; null for a token that does not expire.
    #[serde(default, deserialize_with = "patch::present")]
    #[schema(value_type = Option<Time>)]
    expires_at: Option<Option<Time>>,
}

/// An API token that was created, with its secret.
#[derive(Serialize, ToSchema)]
pub struct CreatedApiToken {
    id: Uuid,
    /// The secret. It is not shown again.
    #[schema(example = "tfp_4yWbmPF6wUqQmA-c8PS1TqWyHZ4c9kPq0a7ab1Cw8lE")]
    token: String,
    name: String,
    access: Access,
    delegates: bool,
    project_id: Option<ProjectId>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

/// Create a token for a script or a service. It has the permissions of its creator, restricted to reads by access
/// `read`, and to one project by `project_id`. The token is shown only in this response. The caller must have signed in
/// within the last 30 minutes. A token of somebody whom an external issuer vouches for works for 30 days after the
/// issuer last did.
#[utoipa::path(
    post, path = "/v1/api-tokens", operation_id = "createApiToken", tag = "api tokens",
    request_body = NewApiToken,
    responses((status = 201, description = "Created", body = CreatedApiToken), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Body(body): Body<NewApiToken>,
) -> Result<CreatedApiToken, ApiError> {
    caller.must_be_person()?;
    let now = app.clock.now().utc();
    let expires_at = match body.expires_at {
        None => Some(now + DEFAULT_LIFETIME),
        Some(told) => told.map(|time| Timestamp::from(time).utc()),
    };
    if expires_at.is_some_and(|end| end <= now) {
        return Err(Problem::invalid_field("/expires_at", "must be in the future").into());
    }
    if let Some(project) = body.project_id
        && app.engine.role_in(project, caller.user_id).await?.is_none()
    {
        return Err(Problem::invalid_field("/project_id", "must be a project of yours").into());
    }
    let (mut tx, held) = authority::begin(&app, &caller).await?;
    authority::must_be_recent(&app, &caller, held)?;
    // Requests at the same time cannot exceed the limit together.
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('api_tokens ' || $1::uuid::text, 0))",
        caller.user_id.0
    )
    .execute(&mut *tx)
    .await
    .map_err(unavailable)?;
    let (id, token) = (app.clock.new_id(), format!("{API_TOKEN_PREFIX}{}", new_secret(&app.clock)));
    let inserted = sqlx::query!(
        r#"
        INSERT INTO api_tokens
            (token_id, user_id, name, secret_hash, access, delegates, project_id, created_at, expires_at)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
        WHERE (SELECT count(*) FROM api_tokens WHERE user_id = $2) < $10
        "#,
        id,
        caller.user_id.0,
        body.name.as_str(),
        digest(&token),
        body.access.as_str(),
        body.delegates,
        body.project_id.map(|project| project.0),
        now,
        expires_at,
        API_TOKENS_PER_USER,
    )
    .execute(&mut *tx)
    .await
    .map_err(unavailable)?;
    tx.commit().await.map_err(unavailable)?;
    if inserted.rows_affected() == 0 {
        let detail = format!("a user has at most {API_TOKENS_PER_USER} API tokens: revoke some first");
        return Err(Problem::invalid_field("", detail).into());
    }
    audit::done(Action::ApiTokenCreate, &client, caller.user_id.0, id);
    Ok(CreatedApiToken {
        id,
        token,
        name: body.name.into(),
        access: body.access,
        delegates: body.delegates,
        project_id: body.project_id,
        created_at: now,
        expires_at,
    })
}

impl IntoResponse for CreatedApiToken {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self)).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
