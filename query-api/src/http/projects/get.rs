//! `GET /v1/projects/{project_id}`: a project with its columns and labels.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::types::Json;
use taskfold_domain::Role;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::project::{Column, Label, SavedFilter, allowed};
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::read_request::MinPosition;
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::view::ColumnView;

/// A project.
#[derive(Serialize, ToSchema)]
pub struct Project {
    id: Uuid,
    name: String,
    description: String,
    /// In order, including archived ones.
    columns: Vec<ColumnView>,
    labels: Vec<Label>,
    my_role: Role,
    /// Commands that the caller may send now, as in `project.<name>`, and `create_task`.
    #[schema(example = json!(["edit", "add_label", "create_task"]))]
    allowed_commands: Vec<&'static str>,
    watching: bool,
    /// Filters for all members.
    filters: Vec<SavedFilter>,
    archived: bool,
    created_at: DateTime<Utc>,
    created_by: Uuid,
    updated_at: DateTime<Utc>,
    /// Version to send as `If-Match`.
    version: i64,
}

/// A project with its columns and labels.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}", operation_id = "getProject", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), MinPosition, ReadHeaders),
    responses((status = 200, description = "The project", body = Project), (status = 304, description = "Not modified"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<MinPosition>,
) -> Result<ReadResponse, ReadError> {
    let (mut snapshot, member) = request.project(&app, query.min_position, project_id).await?;
    let row = sqlx::query!(
        r#"
        SELECT name, description, columns AS "columns: Json<Vec<Column>>", labels AS "labels: Json<Vec<Label>>",
               filters AS "filters: Json<Vec<SavedFilter>>", taskfold_user() = ANY (watcher_ids) AS "watching!",
               created_at, created_by, updated_at, version
        FROM projects WHERE project_id = $1
        "#,
        project_id.0,
    )
    .fetch_one(&mut *snapshot.db)
    .await?;
    let project = Project {
        id: project_id.0,
        name: row.name,
        description: row.description,
        columns: row.columns.0.into_iter().map(Into::into).collect(),
        labels: row.labels.0,
        my_role: member.role(),
        allowed_commands: allowed(member.role(), member.archived),
        watching: row.watching,
        filters: row.filters.0,
        archived: member.archived,
        created_at: row.created_at,
        created_by: row.created_by,
        updated_at: row.updated_at,
        version: row.version,
    };
    ReadResponse::versioned(&request, snapshot, project.version, &project).await
}
