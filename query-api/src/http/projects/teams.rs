//! `GET /v1/projects/{project_id}/teams`: the teams that have a role in a project.

use axum::extract::State;
use serde::Serialize;
use taskfold_domain::Role;
use taskfold_domain::ids::ProjectId;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::page::Page;
use crate::http::read_request::MinPosition;
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::text_enum::TextEnum;

/// A team with a role in a project.
#[derive(Serialize, ToSchema)]
pub struct ProjectTeam {
    team_id: Uuid,
    name: String,
    #[schema(value_type = Role)]
    role: TextEnum<Role>,
    member_count: i64,
}

/// The teams that have a role in a project: at most 20, on one page.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/teams", operation_id = "listProjectTeams", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), MinPosition, ReadHeaders),
    responses((status = 200, description = "The teams", body = Page<ProjectTeam>), (status = 304, description = "Not modified"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<MinPosition>,
) -> Result<ReadResponse, ReadError> {
    let (mut snapshot, _) = request.project(&app, query.min_position, project_id).await?;
    let items = sqlx::query_as!(
        ProjectTeam,
        r#"
        SELECT p.team_id, t.name, p.role AS "role: _",
               (SELECT count(*) FROM team_members m WHERE m.team_id = p.team_id) AS "member_count!"
        FROM project_teams p JOIN teams t ON t.team_id = p.team_id
        WHERE p.project_id = $1
        ORDER BY p.position
        "#,
        project_id.0,
    )
    .fetch_all(&mut *snapshot.db)
    .await?;
    ReadResponse::page(&request, snapshot, &Page::complete(items)).await
}
