//! `PUT /v1/teams/{team_id}/members/{user_id}`: add a member to a team, or change their role in it.

use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::TeamCommand;
use taskfold_domain::ids::{TeamId, UserId};
use taskfold_domain::team::TeamRole;
use taskfold_domain::team::commands::SetTeamMember;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};
use utoipa::ToSchema;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamMemberRole {
    role: TeamRole,
}

/// Add a member to a team, or change their role in it.
#[utoipa::path(
    put, path = "/v1/teams/{team_id}/members/{user_id}", operation_id = "setTeamMember", tag = "teams",
    params(
        ("team_id" = Uuid, Path, description = "the team"),
        ("user_id" = Uuid, Path, description = "the user"),
        CommandHeaders
    ),
    request_body = TeamMemberRole,
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
    Path((team_id, user_id)): Path<(TeamId, UserId)>,
    Body(body): Body<TeamMemberRole>,
) -> Result<Reply, ApiError> {
    let command = TeamCommand::SetMember(SetTeamMember { user_id, role: body.role });
    let done = app.engine.team(team_id, command, request.envelope()).await?;
    Ok(Reply::created_at(done, |done, created| format!("/v1/teams/{}/members/{created}", done.id)))
}
