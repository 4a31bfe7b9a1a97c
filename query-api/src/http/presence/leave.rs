//! `DELETE /v1/projects/{project_id}/presence/{device_id}`: removes one of the caller's devices.

use axum::extract::State;
use http::StatusCode;
use taskfold_domain::ids::ProjectId;
use taskfold_web::problem::PresenceProblems;
use taskfold_web::read::Path;
use taskfold_web::{Caller, Problem};

use super::{DeviceId, member_at};
use crate::http::app::App;
use crate::http::error::ReadError;

/// Remove a device of the caller. The caller leaves with their last device.
#[utoipa::path(
    delete, path = "/v1/projects/{project_id}/presence/{device_id}", operation_id = "leavePresence", tag = "presence",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("device_id" = String, Path, description = "the device, as named by the client")
    ),
    responses((status = 204, description = "The device is not present"), PresenceProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path((project_id, device_id)): Path<(ProjectId, String)>,
) -> Result<StatusCode, ReadError> {
    member_at(&app, &caller, project_id).await?;
    let device =
        DeviceId::parse(device_id).ok_or_else(|| Problem::invalid_field("/device_id", DeviceId::requirement()))?;
    app.presence.leave(&device.key(project_id, &caller)).await?;
    Ok(StatusCode::NO_CONTENT)
}
