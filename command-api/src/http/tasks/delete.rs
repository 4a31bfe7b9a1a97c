use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::empty::Empty;
use taskfold_domain::ids::TaskId;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};
use crate::http::sent::{CommandHeaders, Sent};

/// Delete a task; it can be restored.
#[utoipa::path(
    delete, path = "/v1/tasks/{task_id}", operation_id = "deleteTask", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), CommandHeaders),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(State(app): State<App>, sent: Sent, Path(task_id): Path<TaskId>) -> Result<Reply, ApiError> {
    let done = app.engine.task(task_id, TaskCommand::Delete(Empty {}), sent.envelope()).await?;
    Ok(done.into())
}
