//! `GET /v1/projects`: the caller's projects.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use taskfold_domain::Role;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{ListName, Page, limit};
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::text_enum::TextEnum;
use crate::http::values::Position;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// True for archived projects only, false for others only; all by default.
    archived: Option<bool>,
    /// Number of items, from 1 to 200; 50 by default.
    limit: Option<i64>,
    cursor: Option<String>,
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// A project in a list.
#[derive(Serialize, ToSchema)]
pub struct ProjectSummary {
    id: Uuid,
    name: String,
    description: String,
    archived: bool,
    #[schema(value_type = Role)]
    my_role: TextEnum<Role>,
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
        (status = 304, description = "Not modified"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Query(query): Query<Params>,
) -> Result<ReadResponse, ReadError> {
    let user = request.caller.user_id.0;
    let list = ListName::new("projects", user, &query.archived).keyset(limit(query.limit)?, query.cursor.as_deref())?;
    let mut snapshot = request.snapshot(&app, query.min_position).await?;
    let rows = sqlx::query_as!(
        ProjectSummary,
        r#"
        SELECT p.project_id AS id, p.name, p.description, p.archived, taskfold_role(p.project_id) AS "my_role!: _",
               p.created_at, p.created_by, p.updated_at, p.version, p.created_at::text AS "sort_key!"
        FROM projects p
        WHERE p.project_id = ANY (ARRAY(SELECT taskfold_projects())) AND ($1::boolean IS NULL OR p.archived = $1)
          AND (p.created_at, p.project_id) > ($2::text::timestamptz, $3)
        ORDER BY p.created_at, p.project_id LIMIT $4
        "#,
        query.archived,
        list.key("-infinity"),
        list.id(),
        list.row_limit(),
    )
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, |p| (p.sort_key.clone(), p.id), |p| p);
    ReadResponse::page(&request, snapshot, &page).await
}
