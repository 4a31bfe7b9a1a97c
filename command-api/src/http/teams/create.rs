use axum::extract::State;
use taskfold_domain::TeamCommand;
use taskfold_domain::ids::TeamId;
use taskfold_domain::team::commands::CreateTeam;
use taskfold_event_log::clock;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Body;

use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};
use crate::http::sent::{CommandHeaders, Sent};

/// Create a team, its caller the owner.
#[utoipa::path(
    post, path = "/v1/teams", operation_id = "createTeam", tag = "teams",
    params(CommandHeaders),
    request_body = CreateTeam,
    responses((status = 201, description = "Made", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(State(app): State<App>, sent: Sent, Body(body): Body<CreateTeam>) -> Result<Reply, ApiError> {
    let id = body.id.unwrap_or_else(|| TeamId(clock::new_id()));
    let done = app.engine.team(id, TeamCommand::Create(body), sent.envelope()).await?;
    Ok(Reply::at(done, |_, made| format!("/v1/teams/{made}")))
}
