use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::ProjectId;
use taskfold_live::MOST_DEVICES;
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
    /// The caller's own name for the device or the tab: 1 to 64 letters, digits, `-` and `_`.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$", example = "tab-0190a5")]
    device_id: DeviceId,
    /// The task that is looked at. It is passed on as it is.
    focus: Option<Uuid>,
}

#[derive(Serialize, ToSchema)]
pub struct Heard {
    user_id: Uuid,
    device_id: String,
    focus: Option<Uuid>,
    /// In how many seconds the device is gone, if nothing more is heard of it: send the next one well before.
    #[schema(example = 30)]
    expires_in: u64,
}

/// Say that the caller is there, on this device. Every member may, and is seen by all of them. Send it again every 10
/// seconds or so, and at once when the focus changes.
#[utoipa::path(
    put, path = "/v1/projects/{project_id}/presence", operation_id = "announcePresence", tag = "presence",
    params(("project_id" = Uuid, Path, description = "the project")),
    request_body = Heartbeat,
    responses((status = 200, description = "Heard", body = Heard), PresenceProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path(project_id): Path<ProjectId>,
    Body(body): Body<Heartbeat>,
) -> Result<Json<Heard>, ReadError> {
    let member_at = member_at(&app, &caller, project_id).await?;
    let key = body.device_id.key(project_id, &caller);
    let expires_in = app.presence.ttl().as_secs();
    if app.presence.is_one_too_many(&key) {
        let detail = format!("One may be in a project with {MOST_DEVICES} devices at once");
        let seconds = u32::try_from(expires_in).unwrap_or(u32::MAX);
        return Err(Problem::new(Code::RateLimited, detail).retry_after(seconds).into());
    }
    app.presence.announce(&key, body.focus, member_at).await?;
    Ok(Json(Heard { user_id: key.user, device_id: key.device.to_string(), focus: body.focus, expires_in }))
}
