//! Who is here now. It is heard from devices every few seconds, and is no part of the log.

/// Who is present in a project.
pub mod list;
/// A device goes.
pub mod remove;
/// A device is here.
pub mod say;

use taskfold_domain::ids::ProjectId;
use taskfold_openapi::{Caller, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;
use super::error::ReadError;
use crate::live::{NotTaken, Place, is_device_id};

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(say::handler, list::handler)).routes(routes!(remove::handler))
}

/// The place of a device of the caller's, in a project that they may see.
async fn place(app: &App, caller: &Caller, project: ProjectId, device: String) -> Result<Place, ReadError> {
    caller.must_write()?;
    caller.must_reach(project)?;
    let user = caller.user_id.0;
    let known = app.hub.members().of(user, &[project.0]).await?;
    if known.visible.is_empty() {
        return Err(Problem::not_found().into());
    }
    if !is_device_id(&device) {
        let detail = "must be 1 to 64 of the letters a to z and A to Z, digits, `-` and `_`";
        return Err(Problem::invalid_field("/device_id", detail).into());
    }
    Ok(Place { project: project.0, user, device })
}

fn not_taken(refused: NotTaken) -> Problem {
    match refused {
        NotTaken::TooManyDevices { most } => {
            Problem::invalid_field("/device_id", format!("one person has at most {most} devices in a project"))
        }
        NotTaken::Unavailable => Problem::unavailable("Presence"),
    }
}
