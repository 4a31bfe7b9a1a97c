use axum::extract::State;
use http::StatusCode;
use taskfold_domain::ids::ProjectId;
use taskfold_openapi::Caller;
use taskfold_openapi::problem::OwnProblems;
use taskfold_openapi::read::Path;

use super::{not_taken, place};
use crate::http::app::App;
use crate::http::error::ReadError;

/// A device of the caller's goes: as when a tab is closed. One that is not there is gone already.
#[utoipa::path(
    delete, path = "/v1/projects/{project_id}/presence/{device_id}", operation_id = "endPresence", tag = "presence",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("device_id" = String, Path, description = "as the device has said it")
    ),
    responses((status = 204, description = "Gone"), OwnProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path((project_id, device_id)): Path<(ProjectId, String)>,
) -> Result<StatusCode, ReadError> {
    let place = place(&app, &caller, project_id, device_id).await?;
    app.presence.leave(place).await.map_err(not_taken)?;
    Ok(StatusCode::NO_CONTENT)
}
