//! `DELETE /v1/projects/{project_id}/watch`: stop watching a project.

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

/// Stop watching a project.
#[utoipa::path(
    delete, path = "/v1/projects/{project_id}/watch", operation_id = "unwatchProject", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), CommandHeaders),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path(project_id): Path<ProjectId>,
) -> Result<Reply, ApiError> {
    let command = ProjectCommand::Unwatch(Empty {});
    let done = app.engine.project(project_id, command, request.envelope()).await?;
    Ok(done.into())
}
