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

/// Hear of what happens to the task. Whoever makes it, is assigned or comments does so anyway.
#[utoipa::path(
    put, path = "/v1/tasks/{task_id}/watch", operation_id = "watchTask", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), CommandHeaders),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(State(app): State<App>, sent: Sent, Path(task_id): Path<TaskId>) -> Result<Reply, ApiError> {
    let command = TaskCommand::Watch(Empty {});
    let done = app.engine.task(task_id, command, sent.envelope()).await?;
    Ok(done.into())
}
