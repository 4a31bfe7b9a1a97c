//! `GET /v1/me/filters`: the caller's saved filters.

use axum::extract::State;
use serde::Deserialize;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use utoipa::IntoParams;
use uuid::Uuid;

use super::OwnFilter;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::page::Page;
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::values::Position;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Filters of this project only.
    project_id: Option<Uuid>,
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// The caller's saved filters, oldest first: at most 200, on one page.
#[utoipa::path(
    get, path = "/v1/me/filters", operation_id = "listMyFilters", tag = "me",
    params(Params, ReadHeaders),
    responses((status = 200, description = "The filters", body = Page<OwnFilter>), (status = 304, description = "Not modified"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Query(query): Query<Params>,
) -> Result<ReadResponse, ReadError> {
    let mut snapshot = request.snapshot(&app, query.min_position).await?;
    let items = sqlx::query_as!(
        OwnFilter,
        r#"
        SELECT filter_id AS id, project_id, name, query, created_at FROM own_filters
        WHERE user_id = taskfold_user() AND ($1::uuid IS NULL OR project_id = $1)
        ORDER BY created_at, filter_id
        "#,
        query.project_id,
    )
    .fetch_all(&mut *snapshot.db)
    .await?;
    ReadResponse::page(&request, snapshot, &Page::complete(items)).await
}
