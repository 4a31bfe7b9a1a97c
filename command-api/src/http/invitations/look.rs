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

/// An invitation as the one who is invited sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = InvitationTo)]
pub struct To {
    project_id: ProjectId,
    #[schema(example = "Website")]
    project_name: String,
    role: Role,
    invited_by: Inviter,
    expires_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub struct Inviter {
    user_id: Uuid,
    /// Null when the account was erased.
    username: Option<String>,
    display_name: Option<String>,
}

/// To which project an invitation is, as what, and who invites. 404 when it has expired, was revoked or is used up.
#[utoipa::path(
    get, path = "/v1/invitations/{token}", operation_id = "getInvitation", tag = "invitations",
    params(("token" = String, Path, description = "the invitation's token")),
    responses((status = 200, description = "The invitation", body = To), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(State(app): State<App>, caller: Caller, Path(token): Path<String>) -> Result<Json<To>, ApiError> {
    let invitation = store::find(&app.pool, &token).await.map_err(unavailable)?.ok_or_else(Problem::not_found)?;
    let project_id = invitation.project();
    caller.must_reach(project_id)?;
    if !invitation.in_force || invitation.used_up {
        return Err(Problem::not_found().into());
    }
    let project = app.engine.load_project(project_id).await?;
    let board = project.board().ok_or_else(Problem::not_found)?;
    let account: Option<(String, String)> =
        sqlx::query_as("SELECT username, display_name FROM accounts WHERE user_id = $1")
            .bind(invitation.created_by)
            .fetch_optional(&app.pool)
            .await
            .map_err(unavailable)?;
    let (username, display_name) = account.unzip();
    Ok(Json(To {
        project_id,
        project_name: board.fields.name.clone(),
        role: invitation.role()?,
        invited_by: Inviter { user_id: invitation.created_by, username, display_name },
        expires_at: invitation.expires_at,
    }))
}
