//! `POST /v1/projects/{project_id}/archive`: archive a project.

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::empty::Empty;
use taskfold_domain::ids::ProjectId;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Archive a project. It can still be read, and be restored.
#[utoipa::path(
    post, path = "/v1/projects/{project_id}/archive", operation_id = "archiveProject", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), CommandHeaders),
    request_body = Empty,
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path(project_id): Path<ProjectId>,
    Body(_body): Body<Empty>,
) -> Result<Reply, ApiError> {
    let done = app.engine.project(project_id, ProjectCommand::Archive(Empty {}), request.envelope()).await?;
    Ok(done.into())
}
