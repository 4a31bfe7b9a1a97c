//! `PUT /v1/tasks/{task_id}/comments/{comment_id}/reactions/{emoji}`: react to a comment with an emoji.

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{CommentId, TaskId};
use taskfold_domain::input::Emoji;
use taskfold_domain::task::commands::React;
use taskfold_web::Problem;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// React to a comment with an emoji.
#[utoipa::path(
    put, path = "/v1/tasks/{task_id}/comments/{comment_id}/reactions/{emoji}",
    operation_id = "reactToComment", tag = "tasks",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("comment_id" = Uuid, Path, description = "the comment"),
        ("emoji" = String, Path, description = "an emoji"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((task_id, comment_id, emoji)): Path<(TaskId, CommentId, String)>,
) -> Result<Reply, ApiError> {
    let emoji = Emoji::try_from(emoji).map_err(|e| Problem::invalid_field("/emoji", e.to_string()))?;
    let command = TaskCommand::React(React { comment_id, emoji });
    let done = app.engine.task(task_id, command, request.envelope()).await?;
    Ok(done.into())
}
