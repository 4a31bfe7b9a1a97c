use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use taskfold_domain::Role;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{ListName, Page, limit};
use crate::http::reading::{ReadHeaders, Reading};
use crate::http::stored::Stored;
use crate::http::values::Position;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Only archived ones, or only those that are not; without it, all.
    archived: Option<bool>,
    /// From 1 to 200, 50 by default.
    limit: Option<i64>,
    cursor: Option<String>,
    /// Answer only with what reflects this position.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// A project in a list.
#[derive(Serialize, ToSchema, sqlx::FromRow)]
pub struct ProjectSummary {
    #[sqlx(rename = "project_id")]
    id: Uuid,
    name: String,
    description: String,
    archived: bool,
    #[schema(value_type = Role)]
    my_role: Stored<Role>,
    created_at: DateTime<Utc>,
    created_by: Uuid,
    updated_at: DateTime<Utc>,
    version: i64,
    #[serde(skip)]
    sort_key: String,
}

/// The caller's projects, oldest first.
#[utoipa::path(
    get, path = "/v1/projects", operation_id = "listProjects", tag = "projects",
    params(Params, ReadHeaders),
    responses(
        (status = 200, description = "A page of projects", body = Page<ProjectSummary>),
        (status = 304, description = "As before"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Query(query): Query<Params>,
) -> Result<Answer, ReadError> {
    let limit = limit(query.limit)?;
    let user = reading.caller.user_id.0;
    let list = ListName::new("projects", user, &query.archived);
    let after = list.read(query.cursor.as_deref())?;
    let mut snapshot = reading.snapshot(&app, query.min_position).await?;
    let rows: Vec<ProjectSummary> = sqlx::query_as(
        "SELECT p.project_id, p.name, p.description, p.archived, taskfold_role(p.project_id) AS my_role, p.created_at, p.created_by, \
                p.updated_at, p.version, p.created_at::text AS sort_key \
         FROM projects p \
         WHERE p.project_id = ANY (ARRAY(SELECT taskfold_projects())) AND ($1::boolean IS NULL OR p.archived = $1) \
           AND (p.created_at, p.project_id) > ($2::text::timestamptz, $3) \
         ORDER BY p.created_at, p.project_id LIMIT $4",
    )
    .bind(query.archived)
    .bind(after.as_ref().map_or("-infinity", |c| &c.key))
    .bind(after.as_ref().map_or(Uuid::nil(), |c| c.id))
    .bind(limit + 1)
    .bind(reading.caller.scope.project.map(|only| only.0))
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, limit, |p| (p.sort_key.clone(), p.id), |p| p);
    Answer::page(&reading, snapshot, &page).await
}
