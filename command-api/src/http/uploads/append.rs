use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use taskfold_attachments::uploads::{UploadError, resumable, rows};
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_web::problem::UploadProblems;
use taskfold_web::read::Path;
use taskfold_web::{Code, Problem};

use super::tus;
use crate::http::app::App;
use crate::http::attachments::body;
use crate::http::attachments::commit::{finish, may_attach};
use crate::http::error::ApiError;
use crate::http::sent::Sent;

const MEDIA_TYPE: &str = "application/offset+octet-stream";

/// Send bytes from `Upload-Offset` on, which must be where the upload is (409). The last ones make the attachment, and are
/// answered with `Taskfold-Attachment-Id` and `Taskfold-Position`. What came in before a request broke off is kept.
/// Clients that cannot send `PATCH` send `POST` with `X-HTTP-Method-Override: PATCH`.
#[utoipa::path(
    patch, path = "/v1/tasks/{task_id}/uploads/{upload_id}", operation_id = "appendUpload", tag = "attachments",
    params(("task_id" = Uuid, Path, description = "the task"), ("upload_id" = Uuid, Path, description = "the upload"),
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`"),
        ("Upload-Offset" = u64, Header, description = "Where the bytes begin"),
        ("Upload-Checksum" = Option<String>, Header, description = "`sha1 <base64>` or `sha256 <base64>` of the body: 460 if it \
            comes to another, and nothing of it is kept")),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    responses(
        (status = 204, description = "Taken",
         headers(("Upload-Offset" = u64), ("Taskfold-Attachment-Id" = uuid::Uuid), ("Taskfold-Position" = u64))),
        UploadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    sent: Sent,
    Path((task_id, upload_id)): Path<(TaskId, AttachmentId)>,
    request: Request,
) -> Result<Response, ApiError> {
    let (pool, user) = (&app.uploads.pool, sent.caller.user_id);
    let get = || rows::get(pool, upload_id, task_id, user);
    let envelope = sent.envelope();
    let upload = get().await.map_err(UploadError::from)?.ok_or_else(Problem::not_found)?;
    let headers = request.headers();
    tus::must_be_understood(headers)?;
    if headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()) != Some(MEDIA_TYPE) {
        return Err(Problem::new(Code::UnsupportedMediaType, format!("Send the content type {MEDIA_TYPE}")).into());
    }
    if tus::bytes(headers, tus::OFFSET)? != upload.progress().size {
        return Err(UploadError::AtAnotherOffset.into());
    }
    let checksum = tus::checksum(headers)?;
    if let Some(position) = upload.position {
        return Ok(tus::answer(StatusCode::NO_CONTENT, &upload, Some((upload.id().0, position))));
    }
    if !upload.is_complete() {
        may_attach(&app.engine, task_id, &envelope).await?;
        let slot = app.uploads.slot()?;
        // A task of its own: when the connection breaks, and this request with it, what has come in is still stored. A body that
        // ends early is no harm here, where the offset says how much there is.
        let receiving = resumable::receive(app.uploads.clone(), upload, body::stream(request.into_body()), checksum);
        let received = tokio::spawn(async move {
            let _slot = slot;
            receiving.await
        });
        received.await.map_err(|error| Problem::internal(&error))??;
    }
    let upload = get().await.map_err(UploadError::from)?.ok_or_else(Problem::not_found)?;
    if !upload.is_complete() {
        return Ok(tus::answer(StatusCode::NO_CONTENT, &upload, None));
    }
    let done = finish(&app.engine, &app.uploads, task_id, &upload, envelope).await?;
    Ok(tus::answer(StatusCode::NO_CONTENT, &upload, done.created_id.map(|id| (id, done.position))))
}
