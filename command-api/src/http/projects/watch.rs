//! `PUT /v1/projects/{project_id}/watch`: watch a project.

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::empty::Empty;
use taskfold_domain::ids::ProjectId;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Watch a project: get notifications of everything that happens in it.
#[utoipa::path(
    put, path = "/v1/projects/{project_id}/watch", operation_id = "watchProject", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), CommandHeaders),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path(project_id): Path<ProjectId>,
) -> Result<Reply, ApiError> {
    let command = ProjectCommand::Watch(Empty {});
    let done = app.engine.project(project_id, command, request.envelope()).await?;
    Ok(done.into())
}
