use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::TaskId;
use taskfold_domain::task::commands::AddComment;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};
use crate::http::sent::{CommandHeaders, Sent};

/// Comment on a task.
#[utoipa::path(
    post, path = "/v1/tasks/{task_id}/comments", operation_id = "commentTask", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), CommandHeaders),
    request_body = AddComment,
    responses((status = 201, description = "Made", body = CommandReply), (status = 200, description = "Was so already, or a replay", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    sent: Sent,
    Path(task_id): Path<TaskId>,
    Body(body): Body<AddComment>,
) -> Result<Reply, ApiError> {
    let done = app.engine.task(task_id, TaskCommand::Comment(body), sent.envelope()).await?;
    Ok(Reply::at(done, |done, made| format!("/v1/tasks/{}/comments/{made}", done.id)))
}
