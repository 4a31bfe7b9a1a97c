//! `DELETE /v1/tasks/{task_id}/attachments/{attachment_id}`: remove an attachment and its bytes.

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_domain::task::commands::RemoveAttachment;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Remove an attachment and its bytes. Admins may remove any attachment, members their own.
#[utoipa::path(
    delete, path = "/v1/tasks/{task_id}/attachments/{attachment_id}",
    operation_id = "removeAttachment", tag = "attachments",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("attachment_id" = Uuid, Path, description = "the attachment"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((task_id, attachment_id)): Path<(TaskId, AttachmentId)>,
) -> Result<Reply, ApiError> {
    let command = TaskCommand::RemoveAttachment(RemoveAttachment { attachment_id });
    let done = app.engine.task(task_id, command, request.envelope()).await?;
    app.uploads.removed.notify_one();
    Ok(done.into())
}
