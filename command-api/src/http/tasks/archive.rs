//! `POST /v1/tasks/{task_id}/archive`: archive a task.

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::empty::Empty;
use taskfold_domain::ids::TaskId;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Archive a task. It leaves the board, and is still found by `?archived=true`.
#[utoipa::path(
    post, path = "/v1/tasks/{task_id}/archive", operation_id = "archiveTask", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), CommandHeaders),
    request_body = Empty,
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path(task_id): Path<TaskId>,
    Body(_body): Body<Empty>,
) -> Result<Reply, ApiError> {
    let done = app.engine.task(task_id, TaskCommand::Archive(Empty {}), request.envelope()).await?;
    Ok(done.into())
}
