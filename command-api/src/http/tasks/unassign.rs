//! `DELETE /v1/tasks/{task_id}/assignees/{user_id}`: remove an assignee.

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

/// Remove an assignee.
#[utoipa::path(
    delete, path = "/v1/tasks/{task_id}/assignees/{user_id}", operation_id = "unassignTask", tag = "tasks",
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
    let done = app.engine.task(task_id, TaskCommand::Unassign(Assignee { user_id }), request.envelope()).await?;
    Ok(done.into())
}
