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
use crate::http::error::ApiError;
use crate::http::sent::Sent;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// Where one's own upload is: `Upload-Offset`, and once it is attached, `Taskfold-Attachment-Id` and `Taskfold-Position`. The
/// protocol asks with `HEAD`, which is answered alike.
#[utoipa::path(
    get, path = "/v1/tasks/{task_id}/uploads/{upload_id}", operation_id = "getUpload", tag = "attachments",
    params(("task_id" = Uuid, Path, description = "the task"), ("upload_id" = Uuid, Path, description = "the upload"),
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`")),
    responses(
        (status = 200, description = "In the headers",
         headers(("Upload-Offset" = u64), ("Upload-Length" = u64), ("Upload-Metadata" = String), ("Upload-Expires" = String),
                 ("Taskfold-Attachment-Id" = uuid::Uuid), ("Taskfold-Position" = u64))),
        UploadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    sent: Sent,
    Path((task_id, upload_id)): Path<(TaskId, AttachmentId)>,
    Query(NoParams {}): Query<NoParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let user = sent.caller.user_id;
    let upload = rows::get(&app.uploads.pool, upload_id, task_id, user).await.map_err(UploadError::from)?;
    let upload = upload.ok_or_else(Problem::not_found)?;
    tus::must_be_understood(&headers)?;
    // Complete, and not attached: its last request was lost on the way to the log. Clients take a complete one for done.
    let attached = if upload.is_complete() && !upload.is_attached() {
        let envelope = sent.envelope();
        let done = finish(&app.engine, &app.uploads, task_id, &upload, envelope).await?;
        done.created_id.map(|id| (id, done.position))
    } else {
        upload.position.map(|position| (upload.id().0, position))
    };
    Ok(tus::answer(StatusCode::OK, &upload, attached))
}
