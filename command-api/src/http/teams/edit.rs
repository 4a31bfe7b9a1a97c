//! `PATCH /v1/teams/{team_id}`: rename a team (RFC 7396 merge patch).

use axum::extract::State;
use taskfold_domain::TeamCommand;
use taskfold_domain::ids::TeamId;
use taskfold_domain::team::commands::EditTeam;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Rename a team (RFC 7396 merge patch).
#[utoipa::path(
    patch, path = "/v1/teams/{team_id}", operation_id = "editTeam", tag = "teams",
    params(("team_id" = Uuid, Path, description = "the team"), CommandHeaders),
    request_body = EditTeam,
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path(team_id): Path<TeamId>,
    Body(body): Body<EditTeam>,
) -> Result<Reply, ApiError> {
    let command = TeamCommand::Edit(body);
    let done = app.engine.team(team_id, command, request.envelope()).await?;
    Ok(done.into())
}
