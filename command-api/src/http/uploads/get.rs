//! `GET /v1/tasks/{task_id}/uploads/{upload_id}`: get the offset of an upload of the caller.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use taskfold_attachments::uploads::{UploadError, rows};
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_web::Problem;
use taskfold_web::problem::UploadProblems;
use taskfold_web::read::{Path, Query};

use super::tus;
use crate::http::app::App;
use crate::http::attachments::commit::finish;
use crate::http::command_request::CommandRequest;
use crate::http::error::ApiError;

/// No query parameters.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// Get the offset of an upload of the caller: `Upload-Offset` and, once it is attached, `Taskfold-Attachment-Id` and
/// `Taskfold-Position`. The tus protocol sends `HEAD`, which has the same response.
#[utoipa::path(
    get, path = "/v1/tasks/{task_id}/uploads/{upload_id}", operation_id = "getUpload", tag = "attachments",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("upload_id" = Uuid, Path, description = "the upload"
    ),
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`")),
    responses(
        (status = 200, description = "The state of the upload, in headers",
         headers(("Upload-Offset" = u64), ("Upload-Length" = u64), ("Upload-Metadata" = String),
                 ("Upload-Expires" = String), ("Taskfold-Attachment-Id" = uuid::Uuid), ("Taskfold-Position" = u64))),
        UploadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((task_id, upload_id)): Path<(TaskId, AttachmentId)>,
    Query(NoParams {}): Query<NoParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let user = request.caller.user_id;
    let envelope = request.envelope();
    app.engine.must_reach_task(task_id, &envelope).await?;
    let upload = rows::get(&app.uploads.pool, upload_id, task_id, user).await.map_err(UploadError::from)?;
    let upload = upload.ok_or_else(Problem::not_found)?;
    tus::check_version(&headers)?;
    // Complete and not attached: the last request failed before the append. Clients do not repeat it, because the
    // upload is complete.
    let attached = if upload.is_complete() && !upload.is_attached() {
        let done = finish(&app.engine, &app.uploads, task_id, &upload, envelope).await?;
        done.created_id.map(|id| (id, done.position))
    } else {
        upload.position.map(|position| (upload.id().0, position))
    };
    Ok(tus::response(StatusCode::OK, &upload, attached))
}
