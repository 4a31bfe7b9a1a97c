//! `DELETE /v1/teams/{team_id}/members/{user_id}`: remove a member of a team.

use axum::extract::State;
use taskfold_domain::TeamCommand;
use taskfold_domain::ids::{TeamId, UserId};
use taskfold_domain::team::commands::TeamMemberRef;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Remove a member of a team. All members may remove themselves.
#[utoipa::path(
    delete, path = "/v1/teams/{team_id}/members/{user_id}", operation_id = "removeTeamMember", tag = "teams",
    params(
        ("team_id" = Uuid, Path, description = "the team"),
        ("user_id" = Uuid, Path, description = "the user"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((team_id, user_id)): Path<(TeamId, UserId)>,
) -> Result<Reply, ApiError> {
    let command = TeamCommand::RemoveMember(TeamMemberRef { user_id });
    let done = app.engine.team(team_id, command, request.envelope()).await?;
    Ok(done.into())
}
