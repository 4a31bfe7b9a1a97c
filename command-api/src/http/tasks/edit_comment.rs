//! `PATCH /v1/tasks/{task_id}/comments/{comment_id}`: edit a comment of the caller.

use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{CommentId, TaskId};
use taskfold_domain::input::CommentText;
use taskfold_domain::task::commands::EditComment;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};
use utoipa::ToSchema;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentPatch {
    text: CommentText,
}

/// Edit a comment of the caller.
#[utoipa::path(
    patch, path = "/v1/tasks/{task_id}/comments/{comment_id}", operation_id = "editComment", tag = "tasks",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("comment_id" = Uuid, Path, description = "the comment"),
        CommandHeaders
    ),
    request_body = CommentPatch,
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((task_id, comment_id)): Path<(TaskId, CommentId)>,
    Body(body): Body<CommentPatch>,
) -> Result<Reply, ApiError> {
    let done = app
        .engine
        .task(task_id, TaskCommand::EditComment(EditComment { comment_id, text: body.text }), request.envelope())
        .await?;
    Ok(done.into())
}
