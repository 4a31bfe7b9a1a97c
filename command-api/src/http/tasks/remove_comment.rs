use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{CommentId, TaskId};
use taskfold_domain::task::commands::RemoveComment;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};
use crate::http::sent::{CommandHeaders, Sent};

/// Remove a comment: one's own, or as an admin any.
#[utoipa::path(
    delete, path = "/v1/tasks/{task_id}/comments/{comment_id}", operation_id = "removeComment", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), ("comment_id" = Uuid, Path, description = "the comment"), CommandHeaders),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    sent: Sent,
    Path((task_id, comment_id)): Path<(TaskId, CommentId)>,
) -> Result<Reply, ApiError> {
    let done =
        app.engine.task(task_id, TaskCommand::RemoveComment(RemoveComment { comment_id }), sent.envelope()).await?;
    Ok(done.into())
}
