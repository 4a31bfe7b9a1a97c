//! `DELETE /v1/projects/{project_id}/invitations/{invitation_id}`: revoke an invitation.

use axum::extract::State;
use http::StatusCode;
use taskfold_domain::ids::ProjectId;
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Path;
use taskfold_web::{Caller, Problem};
use uuid::Uuid;

use super::store;
use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;

/// Revoke an invitation. People who have joined by it stay members. For members who may invite.
#[utoipa::path(
    delete, path = "/v1/projects/{project_id}/invitations/{invitation_id}", operation_id = "revokeInvitation",
    tag = "invitations",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("invitation_id" = Uuid, Path, description = "the id of the invitation")
    ),
    responses((status = 204, description = "Revoked, now or before"), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Path((project_id, invitation_id)): Path<(ProjectId, Uuid)>,
) -> Result<StatusCode, ApiError> {
    caller.must_reach(project_id)?;
    app.engine.must_let_see_invitations(project_id, caller.user_id).await?;
    let known = store::revoke(&app.pool, project_id, invitation_id).await.map_err(unavailable)?;
    if !known {
        return Err(Problem::not_found().into());
    }
    audit::done(Action::InvitationRevoke, &client, caller.user_id.0, invitation_id);
    Ok(StatusCode::NO_CONTENT)
}
