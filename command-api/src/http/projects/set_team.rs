//! `PUT /v1/projects/{project_id}/teams/{team_id}`: give all members of a team a role in the project, or change that
//! role.

use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::ProjectCommand;
use taskfold_domain::Role;
use taskfold_domain::ids::{ProjectId, TeamId};
use taskfold_domain::project::commands::SetTeam;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};
use utoipa::ToSchema;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamRoleInProject {
    role: Role,
}

/// Give all members of a team a role in the project, or change that role. Only a member of the team can add it.
#[utoipa::path(
    put, path = "/v1/projects/{project_id}/teams/{team_id}", operation_id = "setProjectTeam", tag = "projects",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("team_id" = Uuid, Path, description = "the team"),
        CommandHeaders
    ),
    request_body = TeamRoleInProject,
    responses(
        (status = 201, description = "Created", body = CommandReply),
        (status = 200, description = "Already in this state, or a replay", body = CommandReply),
        CommandProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((project_id, team_id)): Path<(ProjectId, TeamId)>,
    Body(body): Body<TeamRoleInProject>,
) -> Result<Reply, ApiError> {
    let command = ProjectCommand::SetTeam(SetTeam { team_id, role: body.role });
    let done = app.engine.project(project_id, command, request.envelope()).await?;
    Ok(Reply::created_at(done, |done, created| format!("/v1/projects/{}/teams/{created}", done.id)))
}
