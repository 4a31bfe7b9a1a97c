//! `PATCH /v1/projects/{project_id}`: rename or describe a project (RFC 7396 merge patch).

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::project::commands::EditProject;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Rename or describe a project (RFC 7396 merge patch).
#[utoipa::path(
    patch, path = "/v1/projects/{project_id}", operation_id = "editProject", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), CommandHeaders),
    request_body = EditProject,
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path(project_id): Path<ProjectId>,
    Body(body): Body<EditProject>,
) -> Result<Reply, ApiError> {
    let done = app.engine.project(project_id, ProjectCommand::Edit(body), request.envelope()).await?;
    Ok(done.into())
}
