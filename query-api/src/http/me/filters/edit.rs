//! `PATCH /v1/me/filters/{filter_id}`: edits a saved filter.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::input::{FilterQuery, Name};
use taskfold_web::problem::OwnProblems;
use taskfold_web::read::{Body, Path};
use taskfold_web::{Caller, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::OwnFilter;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::snapshot::begin_write;

/// Absent fields are left as they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditFilter {
    name: Option<Name>,
    /// Query parameters of the project's task list.
    query: Option<FilterQuery>,
}

/// Change the name or the query of a saved filter.
#[utoipa::path(
    patch, path = "/v1/me/filters/{filter_id}", operation_id = "editMyFilter", tag = "me",
    params(("filter_id" = Uuid, Path, description = "the filter")),
    request_body = EditFilter,
    responses((status = 200, description = "The changed filter", body = OwnFilter), OwnProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path(filter_id): Path<Uuid>,
    Body(body): Body<EditFilter>,
) -> Result<Json<OwnFilter>, ReadError> {
    let mut db = begin_write(&app, &caller).await?;
    let filter = sqlx::query_as!(
        OwnFilter,
        r#"
        UPDATE own_filters SET name = coalesce($2, name), query = coalesce($3, query) WHERE filter_id = $1
        RETURNING filter_id AS id, project_id, name, query, created_at
        "#,
        filter_id,
        body.name.as_ref().map(Name::as_str),
        body.query.as_ref().map(FilterQuery::as_str),
    )
    .fetch_optional(&mut *db)
    .await?;
    db.commit().await?;
    filter.map(Json).ok_or_else(|| Problem::not_found().into())
}
