//! `POST /v1/teams`: create a team.

use axum::extract::State;
use taskfold_domain::TeamCommand;
use taskfold_domain::ids::TeamId;
use taskfold_domain::team::commands::CreateTeam;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Body;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Create a team. The caller becomes its owner.
#[utoipa::path(
    post, path = "/v1/teams", operation_id = "createTeam", tag = "teams",
    params(CommandHeaders),
    request_body = CreateTeam,
    responses((status = 201, description = "Created", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Body(body): Body<CreateTeam>,
) -> Result<Reply, ApiError> {
    let id = body.id.unwrap_or_else(|| TeamId(app.clock.new_id()));
    let done = app.engine.team(id, TeamCommand::Create(body), request.envelope()).await?;
    Ok(Reply::created_at(done, |_, created| format!("/v1/teams/{created}")))
}
