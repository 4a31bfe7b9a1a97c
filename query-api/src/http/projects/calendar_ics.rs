//! `GET /v1/projects/{project_id}/calendar.ics`: the calendar for calendar programs.

use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::ids::ProjectId;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::IntoParams;

use crate::http::app::App;
use crate::http::calendars::ics::ShownAs;
use crate::http::calendars::tasks;
use crate::http::error::ReadError;
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::values::Position;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// To-dos, which is the default, or events.
    #[serde(rename = "as")]
    #[param(inline, rename = "as")]
    shown_as: Option<ShownAs>,
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// The project's tasks that have a time, as iCalendar (RFC 5545): at most 5,000, from those that ended a year ago on.
/// Descriptions are limited to 2,000 characters.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/calendar.ics", operation_id = "getCalendarIcs", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), Params, ReadHeaders),
    responses(
        (status = 200, description = "A calendar", body = String, content_type = "text/calendar"),
        (status = 304, description = "Not modified"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<Params>,
) -> Result<ReadResponse, ReadError> {
    let opened = request.project(&app, query.min_position, project_id).await?;
    tasks::respond(&request, opened, project_id, query.shown_as.unwrap_or_default(), app.clock.now()).await
}
