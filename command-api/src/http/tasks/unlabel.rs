//! `DELETE /v1/tasks/{task_id}/labels/{label_id}`: remove a label from a task.

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{LabelId, TaskId};
use taskfold_domain::task::commands::TaskLabel;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Remove a label from a task.
#[utoipa::path(
    delete, path = "/v1/tasks/{task_id}/labels/{label_id}", operation_id = "unlabelTask", tag = "tasks",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("label_id" = Uuid, Path, description = "the label"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((task_id, label_id)): Path<(TaskId, LabelId)>,
) -> Result<Reply, ApiError> {
    let done = app.engine.task(task_id, TaskCommand::Unlabel(TaskLabel { label_id }), request.envelope()).await?;
    Ok(done.into())
}
