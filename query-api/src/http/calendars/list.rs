use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use taskfold_domain::ids::ProjectId;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::ics::ShownAs;
use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::me::AtLeast;
use crate::http::page::Page;
use crate::http::reading::{ReadHeaders, Reading};
use crate::http::stored::Stored;

/// A link, without its secret.
#[derive(Serialize, ToSchema, sqlx::FromRow)]
pub struct CalendarLink {
    #[sqlx(rename = "link_id")]
    id: Uuid,
    project_id: Uuid,
    #[serde(rename = "as")]
    #[schema(value_type = ShownAs)]
    shown_as: Stored<ShownAs>,
    created_at: DateTime<Utc>,
}

/// The caller's own links to the project's calendar, oldest first: at most 50, on one page.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/calendar-links", operation_id = "listCalendarLinks", tag = "calendars",
    params(("project_id" = Uuid, Path, description = "the project"), AtLeast, ReadHeaders),
    responses((status = 200, description = "All of them", body = Page<CalendarLink>), (status = 304, description = "As before"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<AtLeast>,
) -> Result<Answer, ReadError> {
    let (mut snapshot, _) = reading.project(&app, query.min_position, project_id).await?;
    let items: Vec<CalendarLink> = sqlx::query_as(
        "SELECT link_id, project_id, shown_as, created_at FROM calendar_links \
         WHERE user_id = taskfold_user() AND project_id = $1 ORDER BY created_at, link_id",
    )
    .bind(project_id.0)
    .fetch_all(&mut *snapshot.db)
    .await?;
    Answer::page(&reading, snapshot, &Page { items, next_cursor: None }).await
}
