//! `GET /v1/projects/{project_id}/calendar-links`: the caller's calendar links.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use taskfold_domain::ids::ProjectId;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::ics::ShownAs;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::page::Page;
use crate::http::read_request::MinPosition;
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::text_enum::TextEnum;

/// A calendar link, without its secret.
#[derive(Serialize, ToSchema)]
pub struct CalendarLink {
    id: Uuid,
    project_id: Uuid,
    #[serde(rename = "as")]
    #[schema(value_type = ShownAs)]
    shown_as: TextEnum<ShownAs>,
    created_at: DateTime<Utc>,
}

/// The caller's links to the project's calendar, oldest first: at most 50, on one page.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/calendar-links", operation_id = "listCalendarLinks", tag = "calendars",
    params(("project_id" = Uuid, Path, description = "the project"), MinPosition, ReadHeaders),
    responses((status = 200, description = "The links", body = Page<CalendarLink>), (status = 304, description = "Not modified"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<MinPosition>,
) -> Result<ReadResponse, ReadError> {
    let (mut snapshot, _) = request.project(&app, query.min_position, project_id).await?;
    let items = sqlx::query_as!(
        CalendarLink,
        r#"
        SELECT link_id AS id, project_id, shown_as AS "shown_as: _", created_at FROM calendar_links
        WHERE user_id = taskfold_user() AND project_id = $1
        ORDER BY created_at, link_id
        "#,
        project_id.0,
    )
    .fetch_all(&mut *snapshot.db)
    .await?;
    ReadResponse::page(&request, snapshot, &Page::complete(items)).await
}
