//! `DELETE /v1/teams/{team_id}`: delete a team.

use axum::extract::State;
use taskfold_domain::TeamCommand;
use taskfold_domain::empty::Empty;
use taskfold_domain::ids::TeamId;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Delete a team. Its members lose the roles that they have through it.
#[utoipa::path(
    delete, path = "/v1/teams/{team_id}", operation_id = "deleteTeam", tag = "teams",
    params(("team_id" = Uuid, Path, description = "the team"), CommandHeaders),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path(team_id): Path<TeamId>,
) -> Result<Reply, ApiError> {
    let command = TeamCommand::Delete(Empty {});
    let done = app.engine.team(team_id, command, request.envelope()).await?;
    Ok(done.into())
}
