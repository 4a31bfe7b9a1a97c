//! `PUT /v1/projects/{project_id}/presence`: a heartbeat of one of the caller's devices.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::ProjectId;
use taskfold_domain::limits::DEVICES_PER_USER;
use taskfold_web::problem::PresenceProblems;
use taskfold_web::read::{Body, Path};
use taskfold_web::{Caller, Code, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{DeviceId, member_at};
use crate::http::app::App;
use crate::http::error::ReadError;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// A name for the device or the tab, chosen by the client: 1 to 64 letters, digits, `-` and `_`.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$", example = "tab-0190a5")]
    device_id: DeviceId,
    /// The task that the device shows. It is not validated.
    focus: Option<Uuid>,
}

#[derive(Serialize, ToSchema)]
pub struct HeartbeatReply {
    user_id: Uuid,
    device_id: String,
    focus: Option<Uuid>,
    /// Seconds until the device expires without another heartbeat. Send the next one well before.
    #[schema(example = 30)]
    expires_in: u64,
}

/// Announce that the caller is present on this device. Every member may do so, and is visible to all members. Repeat it
/// about every 10 seconds, and at once when the focus changes.
#[utoipa::path(
    put, path = "/v1/projects/{project_id}/presence", operation_id = "announcePresence", tag = "presence",
    params(("project_id" = Uuid, Path, description = "the project")),
    request_body = Heartbeat,
    responses((status = 200, description = "The device is present", body = HeartbeatReply), PresenceProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path(project_id): Path<ProjectId>,
    Body(body): Body<Heartbeat>,
) -> Result<Json<HeartbeatReply>, ReadError> {
    let member_at = member_at(&app, &caller, project_id).await?;
    let key = body.device_id.key(project_id, &caller);
    let expires_in = app.presence.ttl().as_secs();
    if app.presence.exceeds_limit(&key) {
        let detail = format!("A user may be present in a project with at most {DEVICES_PER_USER} devices");
        let seconds = u32::try_from(expires_in).unwrap_or(u32::MAX);
        return Err(Problem::new(Code::RateLimited, detail).retry_after(seconds).into());
    }
    app.presence.announce(&key, body.focus, member_at).await?;
    Ok(Json(HeartbeatReply { user_id: key.user, device_id: key.device.to_string(), focus: body.focus, expires_in }))
}
