use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::ProjectId;
use taskfold_openapi::problem::OwnProblems;
use taskfold_openapi::read::{Body, Path};
use taskfold_openapi::{Caller, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{not_taken, place};
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::reading::Snapshot;

/// A device of the caller's, such as a tab of a browser.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SayPresence {
    /// Made by the device, 1 to 64 of letters, digits, `-` and `_`. A person has at most 20 in a project.
    #[schema(example = "tab-1")]
    device_id: String,
    /// The task that it looks at.
    focus: Option<Uuid>,
}

#[derive(Serialize, ToSchema)]
pub struct Presence {
    user_id: Uuid,
    device_id: String,
    focus: Option<Uuid>,
    /// In seconds: say it again before that. A third of it is a good pace.
    #[schema(example = 30)]
    expires_in: u64,
}

/// A device of the caller's is here, and looks at a task or at none. Others hear of it on their streams when it is news:
/// `presence.joined` with the first device of a person, `presence.focused` when the tasks that they look at change, and
/// `presence.left` when the last device has gone, or was not heard of for 30 seconds. These frames have no `id:` and are in no
/// history; a stream that is too slow for them gets `presence.stale`, and its client asks who is there.
#[utoipa::path(
    put, path = "/v1/projects/{project_id}/presence", operation_id = "sayPresence", tag = "presence",
    params(("project_id" = Uuid, Path, description = "the project")),
    request_body = SayPresence,
    responses((status = 200, description = "Heard", body = Presence), OwnProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path(project_id): Path<ProjectId>,
    Body(body): Body<SayPresence>,
) -> Result<Json<Presence>, ReadError> {
    let place = place(&app, &caller, project_id, body.device_id).await?;
    let news = app.presence.focus(&place) != Some(body.focus);
    if let Some(task) = body.focus.filter(|_| news) {
        must_be_of(&app, &caller, project_id, task).await?;
    }
    let (user_id, device_id) = (place.user, place.device.clone());
    app.presence.say(place, body.focus).await.map_err(not_taken)?;
    Ok(Json(Presence { user_id, device_id, focus: body.focus, expires_in: app.presence.lives().as_secs() }))
}

async fn must_be_of(app: &App, caller: &Caller, project: ProjectId, task: Uuid) -> Result<(), ReadError> {
    let mut snapshot = Snapshot::open(app, caller).await?;
    let is_there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM tasks WHERE task_id = $1 AND project_id = $2)")
        .bind(task)
        .bind(project.0)
        .fetch_one(&mut *snapshot.db)
        .await?;
    snapshot.close().await;
    if is_there { Ok(()) } else { Err(Problem::invalid_field("/focus", "is no task of this project").into()) }
}
