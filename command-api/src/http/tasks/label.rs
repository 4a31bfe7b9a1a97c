//! `PUT /v1/tasks/{task_id}/labels/{label_id}`: add a label to a task.

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

/// Add a label to a task.
#[utoipa::path(
    put, path = "/v1/tasks/{task_id}/labels/{label_id}", operation_id = "labelTask", tag = "tasks",
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
    let done = app.engine.task(task_id, TaskCommand::Label(TaskLabel { label_id }), request.envelope()).await?;
    Ok(done.into())
}
