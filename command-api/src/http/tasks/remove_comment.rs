//! `DELETE /v1/tasks/{task_id}/comments/{comment_id}`: remove a comment.

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{CommentId, TaskId};
use taskfold_domain::task::commands::RemoveComment;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Remove a comment. Admins may remove any comment, members their own.
#[utoipa::path(
    delete, path = "/v1/tasks/{task_id}/comments/{comment_id}", operation_id = "removeComment", tag = "tasks",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("comment_id" = Uuid, Path, description = "the comment"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((task_id, comment_id)): Path<(TaskId, CommentId)>,
) -> Result<Reply, ApiError> {
    let done =
        app.engine.task(task_id, TaskCommand::RemoveComment(RemoveComment { comment_id }), request.envelope()).await?;
    Ok(done.into())
}
