//! `DELETE /v1/tasks/{task_id}`: delete a task.

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::empty::Empty;
use taskfold_domain::ids::TaskId;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Delete a task. It can be restored.
#[utoipa::path(
    delete, path = "/v1/tasks/{task_id}", operation_id = "deleteTask", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), CommandHeaders),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path(task_id): Path<TaskId>,
) -> Result<Reply, ApiError> {
    let done = app.engine.task(task_id, TaskCommand::Delete(Empty {}), request.envelope()).await?;
    Ok(done.into())
}
