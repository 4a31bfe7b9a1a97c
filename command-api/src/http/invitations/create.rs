//! `POST /v1/projects/{project_id}/invitations`: create an invitation link, for any role that the caller may give to a
//! new member.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::ProjectId;
use taskfold_domain::input::Time;
use taskfold_domain::limits::{INVITATION_DEFAULT_DAYS, INVITATION_MAX_DAYS, INVITATION_USES};
use taskfold_domain::{Role, Timestamp, patch};
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::{Body, Path};
use taskfold_web::{Caller, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::store::{self, NewInvitation};
use crate::http::accounts::tokens::{new_secret, unavailable};
use crate::http::app::App;
use crate::http::authority;
use crate::http::error::ApiError;

const DEFAULT_LIFETIME: TimeDelta = TimeDelta::days(INVITATION_DEFAULT_DAYS);
const MAX_LIFETIME: TimeDelta = TimeDelta::days(INVITATION_MAX_DAYS);
/// A new invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// Role of those who accept. Members with this or a higher role keep theirs.
    role: Role,
    /// By default 7 days from now, at most 90 days.
    expires_at: Option<Time>,
    /// Number of people who may accept, from 1 to 10,000; 1 by default, null for any number.
    #[serde(default, deserialize_with = "patch::present")]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 10000)]
    max_uses: Option<Option<i64>>,
}

/// An invitation that was created, with its token.
#[derive(Serialize, ToSchema)]
pub struct CreatedInvitation {
    id: Uuid,
    /// The secret, for the people to invite. It is not shown again.
    token: String,
    /// Path of the invitation. With `/accept` appended, it is the path to accept it.
    #[schema(example = "/v1/invitations/4yWbmPF6wUqQmA-c8PS1TqWyHZ4c9kPq0a7ab1Cw8lE")]
    url_path: String,
    project_id: ProjectId,
    role: Role,
    max_uses: Option<i64>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// Create an invitation link, for any role that the caller may give to a new member. The token is shown only in this
/// response. The link works for as long as its creator may give the role: it ends when they are removed or get a lower
/// role. An API token needs `delegates` for it, and the link ends with the token.
#[utoipa::path(
    post, path = "/v1/projects/{project_id}/invitations", operation_id = "createInvitation", tag = "invitations",
    params(("project_id" = Uuid, Path, description = "the project")),
    request_body = Invite,
    responses((status = 201, description = "Created", body = CreatedInvitation), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Path(project_id): Path<ProjectId>,
    Body(body): Body<Invite>,
) -> Result<CreatedInvitation, ApiError> {
    caller.must_reach(project_id)?;
    let made = app.engine.must_let_invite(project_id, caller.user_id, body.role).await?;
    let created_at = app.clock.now().utc();
    let expires_at = body.expires_at.map_or(created_at + DEFAULT_LIFETIME, |time| Timestamp::from(time).utc());
    if expires_at <= created_at || expires_at > created_at + MAX_LIFETIME {
        return Err(Problem::invalid_field(
            "/expires_at",
            format!("must be within the next {INVITATION_MAX_DAYS} days"),
        )
        .into());
    }
    let max_uses = body.max_uses.unwrap_or(Some(1));
    if max_uses.is_some_and(|uses| !(1..=INVITATION_USES).contains(&uses)) {
        return Err(Problem::invalid_field("/max_uses", format!("must be from 1 to {INVITATION_USES}, or null")).into());
    }
    let (mut tx, _) = authority::begin(&app, &caller).await?;
    let (id, token) = (app.clock.new_id(), new_secret(&app.clock));
    let new = NewInvitation {
        id,
        token: &token,
        project: project_id,
        role: body.role,
        created_by: caller.user_id,
        made,
        api_token: caller.authority().api_token,
        created_at,
        expires_at,
        max_uses,
    };
    store::insert(&mut tx, new).await.map_err(unavailable)?;
    tx.commit().await.map_err(unavailable)?;
    audit::done(Action::InvitationCreate, &client, caller.user_id.0, id);
    Ok(CreatedInvitation {
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

impl IntoResponse for CreatedInvitation {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self)).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
