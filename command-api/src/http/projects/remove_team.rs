//! `DELETE /v1/projects/{project_id}/teams/{team_id}`: remove the role of a team.

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::{ProjectId, TeamId};
use taskfold_domain::project::commands::TeamRef;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Remove the role of a team.
#[utoipa::path(
    delete, path = "/v1/projects/{project_id}/teams/{team_id}", operation_id = "removeProjectTeam", tag = "projects",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("team_id" = Uuid, Path, description = "the team"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((project_id, team_id)): Path<(ProjectId, TeamId)>,
) -> Result<Reply, ApiError> {
    let command = ProjectCommand::RemoveTeam(TeamRef { team_id });
    let done = app.engine.project(project_id, command, request.envelope()).await?;
    Ok(done.into())
}
