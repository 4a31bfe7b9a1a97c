//! `POST /v1/tasks/{task_id}/progress`: report the progress of a running task.

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::TaskId;
use taskfold_domain::task::commands::ProgressTask;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Report the progress of a running task.
#[utoipa::path(
    post, path = "/v1/tasks/{task_id}/progress", operation_id = "progressTask", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), CommandHeaders),
    request_body = ProgressTask,
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path(task_id): Path<TaskId>,
    Body(body): Body<ProgressTask>,
) -> Result<Reply, ApiError> {
    let done = app.engine.task(task_id, TaskCommand::Progress(body), request.envelope()).await?;
    Ok(done.into())
}
