//! `GET /v1/calendars/{file}`: the calendar of a link.

use axum::extract::State;
use http::request::Parts;
use serde::Deserialize;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_web::audit::{self, Action};
use taskfold_web::auth::Means;
use taskfold_web::client::Client;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use taskfold_web::scope::{Access, Scope};
use taskfold_web::{Caller, Problem};
use utoipa::IntoParams;

use super::ics::ShownAs;
use super::{secret_hash, tasks};
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::read_request::ReadRequest;
use crate::http::read_response::ReadResponse;
use crate::http::text_enum::TextEnum;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// To-dos or events; by default as the link was created.
    #[serde(rename = "as")]
    #[param(inline, rename = "as")]
    shown_as: Option<ShownAs>,
}

/// The calendar of a link, without any other authentication. It shows what the link's creator may see, and does not
/// exist any more when the link is revoked.
#[utoipa::path(
    get, path = "/v1/calendars/{file}", operation_id = "getCalendarByLink", tag = "calendars",
    params(("file" = String, Path, description = "the link's secret, followed by `.ics`"), Params),
    responses(
        (status = 200, description = "A calendar", body = String, content_type = "text/calendar"),
        (status = 304, description = "Not modified"),
        ReadProblems
    )
)]
pub async fn handler(
    State(app): State<App>,
    Path(file): Path<String>,
    Query(query): Query<Params>,
    parts: Parts,
) -> Result<ReadResponse, ReadError> {
    let secret = file.strip_suffix(".ics").ok_or_else(Problem::not_found)?;
    let link = sqlx::query!(
        r#"
        SELECT link_id AS "link_id!", user_id AS "user_id!", project_id AS "project_id!",
               shown_as AS "shown_as!: TextEnum<ShownAs>"
        FROM taskfold_calendar_link($1)
        "#,
        secret_hash(secret),
    )
    .fetch_optional(&app.pool)
    .await?;
    let client = Client::of(&parts);
    let Some(link) = link else {
        audit::refused(Action::CalendarLinkUse, &client, None, "no such link in force");
        return Err(Problem::not_found().into());
    };
    let project = ProjectId(link.project_id);
    // The link acts as a token of its creator that may only read this project.
    let caller = Caller {
        user_id: UserId(link.user_id),
        means: Means::ApiToken(link.link_id),
        scope: Scope { access: Access::Read, project: Some(project) },
        expires_at: i64::MAX,
        authenticated_at: None,
    };
    let request = ReadRequest::by(caller, &parts)?;
    let opened = request.project(&app, None, project).await.inspect_err(|_| {
        audit::refused(Action::CalendarLinkUse, &client, Some(link.user_id), "the project cannot be read");
    })?;
    audit::done(Action::CalendarLinkUse, &client, link.user_id, link.link_id);
    let shown_as = query.shown_as.unwrap_or(link.shown_as.0);
    tasks::respond(&request, opened, project, shown_as, app.clock.now()).await
}
