//! `PUT /v1/tasks/{task_id}/assignees/{user_id}`: assign a member to a task.

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{TaskId, UserId};
use taskfold_domain::task::commands::Assignee;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Assign a member to a task.
#[utoipa::path(
    put, path = "/v1/tasks/{task_id}/assignees/{user_id}", operation_id = "assignTask", tag = "tasks",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("user_id" = Uuid, Path, description = "the user"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((task_id, user_id)): Path<(TaskId, UserId)>,
) -> Result<Reply, ApiError> {
    let done = app.engine.task(task_id, TaskCommand::Assign(Assignee { user_id }), request.envelope()).await?;
    Ok(done.into())
}
