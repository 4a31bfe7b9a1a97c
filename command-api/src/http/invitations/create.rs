use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::ProjectId;
use taskfold_domain::input::Time;
use taskfold_domain::{Role, Timestamp, patch};
use taskfold_event_log::clock;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::{Body, Path};
use taskfold_web::{Caller, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::store::{self, NewInvitation};
use crate::http::accounts::tokens::{new_secret, unavailable};
use crate::http::app::App;
use crate::http::error::ApiError;

const DEFAULT_LIFE: TimeDelta = TimeDelta::days(7);
const LONGEST_LIFE: TimeDelta = TimeDelta::days(90);
const MOST_USES: i64 = 10_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// What those who accept become; whoever has that role or a higher one already keeps theirs.
    role: Role,
    /// In 7 days by default, at most in 90.
    expires_at: Option<Time>,
    /// How many people may accept, 1 to 10,000: 1 by default, null for any number.
    #[serde(default, deserialize_with = "patch::present")]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 10000)]
    max_uses: Option<Option<i64>>,
}

#[derive(Serialize, ToSchema)]
pub struct MadeInvitation {
    id: Uuid,
    /// Give it to whom you invite: it is not shown again.
    token: String,
    /// Where it is looked at, and accepted with `/accept` behind it.
    #[schema(example = "/v1/invitations/4yWbmPF6wUqQmA-c8PS1TqWyHZ4c9kPq0a7ab1Cw8lE")]
    url_path: String,
    project_id: ProjectId,
    role: Role,
    max_uses: Option<i64>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// Invite people by a link, with any role that the caller may give to a new member. The token is shown this once.
#[utoipa::path(
    post, path = "/v1/projects/{project_id}/invitations", operation_id = "createInvitation", tag = "invitations",
    params(("project_id" = Uuid, Path, description = "the project")),
    request_body = Invite,
    responses((status = 201, description = "Made", body = MadeInvitation), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path(project_id): Path<ProjectId>,
    Body(body): Body<Invite>,
) -> Result<MadeInvitation, ApiError> {
    caller.must_reach(project_id)?;
    caller.must_write()?;
    app.engine.must_let_invite(project_id, caller.user_id, body.role).await?;
    let created_at = clock::now().utc();
    let expires_at = body.expires_at.map_or(created_at + DEFAULT_LIFE, |time| Timestamp::from(time).utc());
    if expires_at <= created_at || expires_at > created_at + LONGEST_LIFE {
        return Err(Problem::invalid_field("/expires_at", "must be within the next 90 days").into());
    }
    let max_uses = body.max_uses.unwrap_or(Some(1));
    if max_uses.is_some_and(|uses| !(1..=MOST_USES).contains(&uses)) {
        return Err(Problem::invalid_field("/max_uses", format!("must be from 1 to {MOST_USES}, or null")).into());
    }
    let (id, token) = (clock::new_id(), new_secret());
    let new = NewInvitation {
        id,
        token: &token,
        project: project_id,
        role: body.role,
        by: caller.user_id,
        created_at,
        expires_at,
        max_uses,
    };
    store::insert(&app.pool, new).await.map_err(unavailable)?;
    Ok(MadeInvitation {
        id,
        url_path: format!("/v1/invitations/{token}"),
        token,
        project_id,
        role: body.role,
        max_uses,
        created_at,
        expires_at,
    })
}

impl IntoResponse for MadeInvitation {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self)).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
