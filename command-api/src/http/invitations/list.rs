//! `GET /v1/projects/{project_id}/invitations`: list the invitations of a project, oldest first, including expired,
//! revoked and used ones.

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::Uri;
use serde::Serialize;
use taskfold_commands::MadeInvitation;
use taskfold_domain::Role;
use taskfold_domain::ids::ProjectId;
use taskfold_web::Caller;
use taskfold_web::page::Page;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::store::{made, role_of};
use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::page::{ListResponse, Params};

/// An invitation, without its token.
#[derive(Serialize, ToSchema)]
pub struct Invitation {
    id: Uuid,
    #[schema(value_type = Role)]
    role: String,
    /// User who created it.
    created_by: Uuid,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// Null for any number.
    max_uses: Option<i32>,
    uses: i64,
    revoked_at: Option<DateTime<Utc>>,
    /// People can join by it: it is neither expired, revoked nor used up, and its creator may still give the role.
    in_force: bool,
    #[serde(skip)]
    project_version: i64,
    #[serde(skip)]
    made_position: i64,
    #[serde(skip)]
    through_team: bool,
}

impl Invitation {
    fn facts(&self) -> Result<MadeInvitation, ApiError> {
        let circumstances = (self.project_version, self.made_position, self.through_team);
        Ok(made(role_of(self.id, &self.role)?, self.created_by, circumstances))
    }
}

/// List the invitations of a project, oldest first, including expired, revoked and used ones. For members who may
/// invite.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/invitations", operation_id = "listInvitations", tag = "invitations",
    params(("project_id" = Uuid, Path, description = "the project"), Params),
    responses(
        (status = 200, description = "A page of invitations", body = Page<Invitation>),
        TokenProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path(project_id): Path<ProjectId>,
    uri: Uri,
    Query(params): Query<Params>,
) -> Result<ListResponse<Invitation>, ApiError> {
    let page = params.page_of("invitations", project_id.0)?;
    caller.must_reach(project_id)?;
    app.engine.must_let_see_invitations(project_id, caller.user_id).await?;
    let mut invitations = sqlx::query_as!(
        Invitation,
        r#"
        SELECT invitation_id AS id, role, created_by, created_at, expires_at, max_uses,
               taskfold_invitation_uses(invitation_id) AS "uses!", revoked_at,
               (revoked_at IS NULL AND expires_at > now() AND taskfold_account_lives(created_by)
                AND taskfold_token_lives(api_token_id)
                AND coalesce(taskfold_invitation_uses(invitation_id) < max_uses, true)) AS "in_force!",
               coalesce(project_version, 0) AS "project_version!", coalesce(made_position, 0) AS "made_position!",
               through_team
        FROM invitations
        WHERE project_id = $1 AND invitation_id > $2
        ORDER BY invitation_id
        LIMIT $3
        "#,
        project_id.0,
        page.after(),
        page.row_limit(),
    )
    .fetch_all(&app.pool)
    .await
    .map_err(unavailable)?;
    let made: Vec<MadeInvitation> = invitations.iter().map(Invitation::facts).collect::<Result<_, _>>()?;
    let project = app.engine.load_project(project_id).await?;
    let carry = app.engine.carry_authority(&project, &made).await?;
    for (invitation, carries) in invitations.iter_mut().zip(carry) {
        invitation.in_force &= carries;
    }
    Ok(page.response(&uri, invitations, |invitation| invitation.id))
}
