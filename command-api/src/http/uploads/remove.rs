//! `DELETE /v1/tasks/{task_id}/uploads/{upload_id}`: cancel an incomplete upload of the caller, and remove its bytes.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use taskfold_attachments::uploads::single::discard;
use taskfold_attachments::uploads::{UploadError, rows};
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_web::Problem;
use taskfold_web::problem::UploadProblems;
use taskfold_web::read::Path;

use super::tus;
use crate::http::app::App;
use crate::http::command_request::CommandRequest;
use crate::http::error::ApiError;

/// Cancel an incomplete upload of the caller, and remove its bytes.
#[utoipa::path(
    delete, path = "/v1/tasks/{task_id}/uploads/{upload_id}", operation_id = "removeUpload", tag = "attachments",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("upload_id" = Uuid, Path, description = "the upload"
    ),
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`")),
    responses((status = 204, description = "Removed"), UploadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((task_id, upload_id)): Path<(TaskId, AttachmentId)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let user = request.caller.user_id;
    app.engine.must_reach_task(task_id, &request.envelope()).await?;
    let pool = &app.uploads.pool;
    let upload = rows::get(pool, upload_id, task_id, user).await.map_err(UploadError::from)?;
    let upload = upload.ok_or_else(Problem::not_found)?;
    tus::check_version(&headers)?;
    if !rows::abandon(pool, upload.id()).await.map_err(UploadError::from)? {
        return Err(Problem::not_found().into());
    }
    discard(&app.uploads, upload.id()).await;
    Ok(StatusCode::NO_CONTENT)
}
