//! `POST /v1/tasks/{task_id}/uploads`: create an upload.

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use taskfold_attachments::uploads::{AttachRequest, UploadError, rows};
use taskfold_commands::CommandError;
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_domain::limits::UPLOADS_PER_USER;
use taskfold_web::headers::one;
use taskfold_web::problem::UploadProblems;
use taskfold_web::read::Path;
use taskfold_web::{Code, Problem};

use super::tus;
use crate::http::app::App;
use crate::http::attachments::commit::{finish, may_attach};
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;

/// Create an upload, for a file that is sent in one or more requests, each of which may break off (the tus protocol
/// 1.0.0, which upload libraries such as Uppy and tus-js-client support; `OPTIONS` lists the supported extensions). It
/// expires a day after its last byte. A user has at most 100 incomplete uploads.
#[utoipa::path(
    post, path = "/v1/tasks/{task_id}/uploads", operation_id = "createUpload", tag = "attachments",
    params(("task_id" = Uuid, Path, description = "the task"), CommandHeaders,
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`"),
        ("Upload-Length" = u64, Header, description = "Size of the file, in bytes"),
        ("Upload-Metadata" = Option<String>, Header, description = "`filename <base64>,filetype <base64>`")),
    responses(
        (status = 201, description = "Send the bytes to `Location`. An empty file is attached immediately",
         headers(("Location" = String), ("Upload-Expires" = String), ("Taskfold-Attachment-Id" = uuid::Uuid))),
        UploadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    command_request: CommandRequest,
    Path(task_id): Path<TaskId>,
    request: Request,
) -> Result<Response, ApiError> {
    let envelope = command_request.envelope();
    let attach = AttachRequest { user: envelope.actor, command_id: envelope.command_id };
    let headers = request.headers();
    let target = may_attach(&app.engine, task_id, &envelope).await?;
    tus::check_version(headers)?;
    tus::check_extensions(headers)?;
    let length = tus::bytes(headers, tus::LENGTH)?;
    let metadata = one(headers, tus::METADATA)?;
    let file = tus::file(metadata)?;
    if length > app.uploads.limit {
        return Err(UploadError::TooLarge { limit: app.uploads.limit }.into());
    }
    if rows::unfinished(&app.uploads.pool, attach).await.map_err(UploadError::from)? >= UPLOADS_PER_USER {
        let detail = format!("A user has at most {UPLOADS_PER_USER} incomplete uploads: complete or delete some first");
        return Err(Problem::new(Code::RateLimited, detail).retry_after(60).into());
    }
    let id = AttachmentId(app.clock.new_id());
    let created = rows::create(&app.uploads, id, target, attach, (&file, length, metadata)).await?;
    let upload = created.ok_or(CommandError::KeyReused)?;
    let attached = if upload.is_complete() && !upload.is_attached() {
        let done = finish(&app.engine, &app.uploads, task_id, &upload, envelope).await?;
        done.created_id.map(|id| (id, done.position))
    } else {
        upload.position.map(|position| (upload.id().0, position))
    };
    let mut response = tus::response(StatusCode::CREATED, &upload, attached);
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/tasks/{task_id}/uploads/{}", upload.id())) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}
