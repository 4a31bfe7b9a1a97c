//! `PATCH /v1/tasks/{task_id}`: edit a task (RFC 7396 merge patch).

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::TaskId;
use taskfold_domain::task::commands::EditTask;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Edit a task (RFC 7396 merge patch): absent fields stay, null clears.
#[utoipa::path(
    patch, path = "/v1/tasks/{task_id}", operation_id = "editTask", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), CommandHeaders),
    request_body = EditTask,
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path(task_id): Path<TaskId>,
    Body(body): Body<EditTask>,
) -> Result<Reply, ApiError> {
    let done = app.engine.task(task_id, TaskCommand::Edit(Box::new(body)), request.envelope()).await?;
    Ok(done.into())
}
