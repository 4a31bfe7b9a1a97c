//! `DELETE /v1/projects/{project_id}/calendar-links/{link_id}`: revokes a calendar link.

use axum::extract::State;
use http::StatusCode;
use taskfold_domain::ids::ProjectId;
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::OwnProblems;
use taskfold_web::read::Path;
use taskfold_web::{Caller, Problem};
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::snapshot::begin_write;

/// Revoke a calendar link. It does not exist any more from now on.
#[utoipa::path(
    delete, path = "/v1/projects/{project_id}/calendar-links/{link_id}", operation_id = "revokeCalendarLink",
    tag = "calendars",
    params(("project_id" = Uuid, Path, description = "the project"), ("link_id" = Uuid, Path, description = "the link")),
    responses((status = 204, description = "Revoked"), OwnProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Path((project_id, link_id)): Path<(ProjectId, Uuid)>,
) -> Result<StatusCode, ReadError> {
    let mut db = begin_write(&app, &caller).await?;
    let revoked =
        sqlx::query!("DELETE FROM calendar_links WHERE link_id = $1 AND project_id = $2", link_id, project_id.0,)
            .execute(&mut *db)
            .await?;
    db.commit().await?;
    if revoked.rows_affected() == 0 {
        return Err(Problem::not_found().into());
    }
    audit::done(Action::CalendarLinkRevoke, &client, caller.user_id.0, link_id);
    Ok(StatusCode::NO_CONTENT)
}
