use axum::extract::State;
use http::request::Parts;
use serde::Deserialize;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_web::auth::Means;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use taskfold_web::scope::{Access, Scope};
use taskfold_web::{Caller, Problem};
use utoipa::IntoParams;
use uuid::Uuid;

use super::ics::ShownAs;
use super::{secret_hash, tasks};
use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::reading::Reading;
use crate::http::stored::Stored;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// As to-dos or as events; without it, as the link was made.
    #[serde(rename = "as")]
    #[param(inline, rename = "as")]
    shown_as: Option<ShownAs>,
}

/// The calendar of a link, without any other authentication: it shows what the person who made the link may see, as long as
/// they may, and a link that is revoked is not there any more.
#[utoipa::path(
    get, path = "/v1/calendars/{file}", operation_id = "getCalendarByLink", tag = "calendars",
    params(("file" = String, Path, description = "the link's secret, and `.ics` behind it"), Params),
    responses(
        (status = 200, description = "A calendar", body = String, content_type = "text/calendar"),
        (status = 304, description = "As before"),
        ReadProblems
    )
)]
pub async fn handler(
    State(app): State<App>,
    Path(file): Path<String>,
    Query(query): Query<Params>,
    parts: Parts,
) -> Result<Answer, ReadError> {
    let secret = file.strip_suffix(".ics").ok_or_else(Problem::not_found)?;
    let link: Option<(Uuid, Uuid, Uuid, Stored<ShownAs>)> =
        sqlx::query_as("SELECT link_id, user_id, project_id, shown_as FROM taskfold_calendar_link($1)")
            .bind(secret_hash(secret))
            .fetch_optional(&app.pool)
            .await?;
    let (link, user, project, shown_as) = link.ok_or_else(Problem::not_found)?;
    // The link is a token of theirs that reads this project and nothing else.
    let caller = Caller {
        user_id: UserId(user),
        means: Means::ApiToken(link),
        scope: Scope { access: Access::Read, project: Some(ProjectId(project)) },
        expires_at: i64::MAX,
    };
    let reading = Reading::by(caller, &parts)?;
    let seen = reading.project(&app, None, ProjectId(project)).await?;
    tasks::answer(&reading, seen, ProjectId(project), query.shown_as.unwrap_or(shown_as.0)).await
}
