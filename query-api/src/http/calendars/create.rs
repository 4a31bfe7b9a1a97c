//! `POST /v1/projects/{project_id}/calendar-links`: creates a calendar link.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::ProjectId;
use taskfold_domain::limits::CALENDAR_LINKS;
use taskfold_event_log::hold_authority;
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::OwnProblems;
use taskfold_web::read::{Body, Path};
use taskfold_web::{Caller, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::ics::ShownAs;
use super::secret_hash;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::pending;
use crate::http::snapshot::{begin_write, serialize_own};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeLink {
    /// Tasks are to-dos or events; `vtodo` by default.
    #[serde(rename = "as")]
    shown_as: Option<ShownAs>,
}

#[derive(Serialize, ToSchema)]
pub struct MadeLink {
    id: Uuid,
    project_id: ProjectId,
    #[serde(rename = "as")]
    shown_as: ShownAs,
    /// The path of the calendar on this server, for a calendar program. It is not returned again; anyone who has it can
    /// read the calendar.
    #[schema(example = "/v1/calendars/4yWbmPF6wUqQmA-c8PS1TqWyHZ4c9kPq0a7ab1Cw8lE.ics")]
    url_path: String,
    created_at: DateTime<Utc>,
}

/// Create a link to the project's calendar, for a program that cannot sign in. An API token needs `delegates` for it,
/// and the link ends with the token.
#[utoipa::path(
    post, path = "/v1/projects/{project_id}/calendar-links", operation_id = "createCalendarLink", tag = "calendars",
    params(("project_id" = Uuid, Path, description = "the project")),
    request_body = MakeLink,
    responses((status = 201, description = "The link", body = MadeLink), OwnProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Path(project_id): Path<ProjectId>,
    Body(body): Body<MakeLink>,
) -> Result<MadeLink, ReadError> {
    let shown_as = body.shown_as.unwrap_or_default();
    pending::require_member(&app, &caller, project_id).await?;
    let mut db = begin_write(&app, &caller).await?;
    hold_authority(&mut db, caller.authority()).await?.map_err(Problem::from)?;
    serialize_own(&mut db, "calendar_links").await?;
    let count =
        sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM calendar_links WHERE project_id = $1"#, project_id.0,)
            .fetch_one(&mut *db)
            .await?;
    if count >= CALENDAR_LINKS {
        return Err(Problem::invalid_field(
            "",
            format!("a user may have at most {CALENDAR_LINKS} calendar links in a project"),
        )
        .into());
    }
    let secret = BASE64_URL_SAFE_NO_PAD.encode(app.clock.random_bytes(32));
    let id = app.clock.new_id();
    let created_at = sqlx::query_scalar!(
        r#"
        INSERT INTO calendar_links (link_id, user_id, project_id, secret_hash, shown_as, created_at, api_token_id, made_position)
        SELECT $1, taskfold_user(), $2, $3, $4, now(), $5, c.position FROM projection_checkpoint c
        RETURNING created_at
        "#,
        id,
        project_id.0,
        secret_hash(&secret),
        shown_as.as_str(),
        caller.authority().api_token,
    )
    .fetch_one(&mut *db)
    .await?;
    db.commit().await?;
    audit::done(Action::CalendarLinkCreate, &client, caller.user_id.0, id);
    Ok(MadeLink { id, project_id, shown_as, url_path: format!("/v1/calendars/{secret}.ics"), created_at })
}

impl IntoResponse for MadeLink {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self)).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
