//! `POST /v1/me/filters`: saves a filter.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::input::{FilterQuery, Name};
use taskfold_domain::limits::FILTERS_PER_USER;
use taskfold_web::problem::OwnProblems;
use taskfold_web::read::Body;
use taskfold_web::{Caller, Code, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::OwnFilter;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::pending;
use crate::http::snapshot::{begin_write, serialize_own};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveFilter {
    id: Option<Uuid>,
    project_id: ProjectId,
    name: Name,
    /// Query parameters of the project's task list.
    query: FilterQuery,
}

/// Save a filter for the caller: at most 200 in all projects.
#[utoipa::path(
    post, path = "/v1/me/filters", operation_id = "createMyFilter", tag = "me",
    request_body = SaveFilter,
    responses((status = 201, description = "The filter", body = OwnFilter), OwnProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<SaveFilter>,
) -> Result<(StatusCode, Json<OwnFilter>), ReadError> {
    pending::require_member(&app, &caller, body.project_id).await?;
    let mut db = begin_write(&app, &caller).await?;
    serialize_own(&mut db, "own_filters").await?;
    let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM own_filters WHERE user_id = taskfold_user()"#)
        .fetch_one(&mut *db)
        .await?;
    if count >= FILTERS_PER_USER {
        return Err(Problem::invalid_field("", format!("a user may have at most {FILTERS_PER_USER} filters")).into());
    }
    let saved = sqlx::query_as!(
        OwnFilter,
        r#"
        INSERT INTO own_filters (filter_id, user_id, project_id, name, query, created_at)
        VALUES ($1, taskfold_user(), $2, $3, $4, now()) ON CONFLICT DO NOTHING
        RETURNING filter_id AS id, project_id, name, query, created_at
        "#,
        body.id.unwrap_or_else(|| app.clock.new_id()),
        body.project_id.0,
        body.name.as_str(),
        body.query.as_str(),
    )
    .fetch_optional(&mut *db)
    .await?;
    let saved = saved.ok_or_else(|| Problem::new(Code::AlreadyExists, "A filter with this id exists"))?;
    db.commit().await?;
    Ok((StatusCode::CREATED, Json(saved)))
}
