use axum::extract::State;
use http::{HeaderMap, StatusCode};
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_openapi::problem::UploadProblems;
use taskfold_openapi::read::Path;
use taskfold_openapi::{Caller, Problem};

use super::tus;
use crate::attachments::receiving::discard;
use crate::attachments::{database_problem, uploads};
use crate::http::app::App;

/// End one's own upload before it is complete, and take away what was sent.
#[utoipa::path(
    delete, path = "/v1/tasks/{task_id}/uploads/{upload_id}", operation_id = "removeUpload", tag = "attachments",
    params(("task_id" = Uuid, Path, description = "the task"), ("upload_id" = Uuid, Path, description = "the upload"),
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`")),
    responses((status = 204, description = "Gone"), UploadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path((task_id, upload_id)): Path<(TaskId, AttachmentId)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    caller.must_write()?;
    let pool = &app.attachments.pool;
    let upload = uploads::get(pool, upload_id, task_id, caller.user_id).await.map_err(database_problem)?;
    let upload = upload.ok_or_else(Problem::not_found)?;
    tus::must_be_understood(&headers)?;
    if !uploads::abandon(pool, upload.id()).await.map_err(database_problem)? {
        return Err(Problem::not_found());
    }
    discard(&app.attachments, upload.id()).await;
    Ok(StatusCode::NO_CONTENT)
}
