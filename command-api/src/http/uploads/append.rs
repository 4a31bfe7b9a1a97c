//! `PATCH /v1/tasks/{task_id}/uploads/{upload_id}`: append bytes to an upload.

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
use crate::http::command_request::CommandRequest;
use crate::http::error::ApiError;

const MEDIA_TYPE: &str = "application/offset+octet-stream";

/// Append bytes to an upload. `Upload-Offset` must be the current offset (409 otherwise). The last bytes create the
/// attachment; the response has `Taskfold-Attachment-Id` and `Taskfold-Position`. Bytes that arrived before a request
/// broke off are kept. Clients that cannot send `PATCH` send `POST` with `X-HTTP-Method-Override: PATCH`.
#[utoipa::path(
    patch, path = "/v1/tasks/{task_id}/uploads/{upload_id}", operation_id = "appendUpload", tag = "attachments",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("upload_id" = Uuid, Path, description = "the upload"
    ),
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`"),
        ("Upload-Offset" = u64, Header, description = "Offset of the bytes"),
        ("Upload-Checksum" = Option<String>, Header, description = "`sha1 <base64>` or `sha256 <base64>` of the body; \
            460 if they differ, and the body is discarded")),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    responses(
        (status = 204, description = "Stored",
         headers(("Upload-Offset" = u64), ("Taskfold-Attachment-Id" = uuid::Uuid), ("Taskfold-Position" = u64))),
        UploadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    command_request: CommandRequest,
    Path((task_id, upload_id)): Path<(TaskId, AttachmentId)>,
    request: Request,
) -> Result<Response, ApiError> {
    let (pool, user) = (&app.uploads.pool, command_request.caller.user_id);
    let get = || rows::get(pool, upload_id, task_id, user);
    let envelope = command_request.envelope();
    app.engine.must_reach_task(task_id, &envelope).await?;
    let upload = get().await.map_err(UploadError::from)?.ok_or_else(Problem::not_found)?;
    let headers = request.headers();
    tus::check_version(headers)?;
    if headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()) != Some(MEDIA_TYPE) {
        return Err(Problem::new(Code::UnsupportedMediaType, format!("Send the content type {MEDIA_TYPE}")).into());
    }
    if tus::bytes(headers, tus::OFFSET)? != upload.progress().size {
        return Err(UploadError::AtAnotherOffset.into());
    }
    let checksum = tus::checksum(headers)?;
    if let Some(position) = upload.position {
        return Ok(tus::response(StatusCode::NO_CONTENT, &upload, Some((upload.id().0, position))));
    }
    if !upload.is_complete() {
        may_attach(&app.engine, task_id, &envelope).await?;
        let slot = app.uploads.slot(user)?;
        // In a task of its own, so that the received bytes are stored even if the connection, and with it this request,
        // breaks off. A body that ends early does no harm, because the offset states how many bytes there are.
        let receiving = resumable::receive(app.uploads.clone(), upload, body::stream(request.into_body()), checksum);
        let received = tokio::spawn(async move {
            let _slot = slot;
            receiving.await
        });
        received.await.map_err(|error| Problem::internal(&error))??;
    }
    let upload = get().await.map_err(UploadError::from)?.ok_or_else(Problem::not_found)?;
    if !upload.is_complete() {
        return Ok(tus::response(StatusCode::NO_CONTENT, &upload, None));
    }
    let done = finish(&app.engine, &app.uploads, task_id, &upload, envelope).await?;
    Ok(tus::response(StatusCode::NO_CONTENT, &upload, done.created_id.map(|id| (id, done.position))))
}
