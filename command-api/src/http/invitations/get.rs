//! `GET /v1/invitations/{token}`: get an invitation.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use taskfold_domain::Role;
use taskfold_domain::ids::ProjectId;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Path;
use taskfold_web::{Caller, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::store;
use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;

/// An invitation, as the person who is invited sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = InvitationTo)]
pub struct InvitationView {
    project_id: ProjectId,
    #[schema(example = "Website")]
    project_name: String,
    role: Role,
    invited_by: InvitationCreator,
    expires_at: DateTime<Utc>,
}

/// The member who created an invitation.
#[derive(Serialize, ToSchema)]
#[schema(as = Inviter)]
pub struct InvitationCreator {
    user_id: Uuid,
    /// Null if the account was erased.
    username: Option<String>,
    display_name: Option<String>,
}

/// Get an invitation: its project, its role and the member who created it. 404 if it has expired, was revoked or is
/// used up, or if that member may not give the role any more.
#[utoipa::path(
    get, path = "/v1/invitations/{token}", operation_id = "getInvitation", tag = "invitations",
    params(("token" = String, Path, description = "the token of the invitation")),
    responses((status = 200, description = "The invitation", body = InvitationView), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path(token): Path<String>,
) -> Result<Json<InvitationView>, ApiError> {
    let invitation = store::find(&app.pool, &token).await.map_err(unavailable)?.ok_or_else(Problem::not_found)?;
    let project_id = invitation.project();
    caller.must_reach(project_id)?;
    if !invitation.in_force || invitation.used_up {
        return Err(Problem::not_found().into());
    }
    let project = app.engine.load_project(project_id).await?;
    let board = project.board().ok_or_else(Problem::not_found)?;
    let facts = invitation.facts()?;
    if app.engine.carry_authority(&project, &[facts]).await? != [true] {
        return Err(Problem::not_found().into());
    }
    let account = sqlx::query!("SELECT username, display_name FROM accounts WHERE user_id = $1", invitation.created_by)
        .fetch_optional(&app.pool)
        .await
        .map_err(unavailable)?;
    let (username, display_name) = account.map_or((None, None), |account| (account.username, account.display_name));
    Ok(Json(InvitationView {
        project_id,
        project_name: board.fields.name.clone(),
        role: facts.invitation.role,
        invited_by: InvitationCreator { user_id: invitation.created_by, username, display_name },
        expires_at: invitation.expires_at,
    }))
}
