use axum::extract::State;
use serde::Deserialize;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use utoipa::IntoParams;
use uuid::Uuid;

use super::OwnFilter;
use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::page::Page;
use crate::http::reading::{ReadHeaders, Reading};
use crate::http::values::Position;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Only those for this project.
    project_id: Option<Uuid>,
    /// Answer only with what reflects this position.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// The caller's own saved filters, in the order they were made: at most 200, on one page.
#[utoipa::path(
    get, path = "/v1/me/filters", operation_id = "listMyFilters", tag = "me",
    params(Params, ReadHeaders),
    responses((status = 200, description = "All of them", body = Page<OwnFilter>), (status = 304, description = "As before"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Query(query): Query<Params>,
) -> Result<Answer, ReadError> {
    let mut snapshot = reading.snapshot(&app, query.min_position).await?;
    let items: Vec<OwnFilter> = sqlx::query_as(
        "SELECT filter_id, project_id, name, query, created_at FROM own_filters \
         WHERE user_id = taskfold_user() AND ($1::uuid IS NULL OR project_id = $1) ORDER BY created_at, filter_id",
    )
    .bind(query.project_id)
    .fetch_all(&mut *snapshot.db)
    .await?;
    Answer::page(&reading, snapshot, &Page { items, next_cursor: None }).await
}
