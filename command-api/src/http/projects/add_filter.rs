//! `POST /v1/projects/{project_id}/filters`: save a filter for all members.

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::project::commands::AddFilter;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Save a filter for all members.
#[utoipa::path(
    post, path = "/v1/projects/{project_id}/filters", operation_id = "addFilter", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), CommandHeaders),
    request_body = AddFilter,
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
    Path(project_id): Path<ProjectId>,
    Body(body): Body<AddFilter>,
) -> Result<Reply, ApiError> {
    let command = ProjectCommand::AddFilter(body);
    let done = app.engine.project(project_id, command, request.envelope()).await?;
    Ok(Reply::created_at(done, |done, created| format!("/v1/projects/{}/filters/{created}", done.id)))
}
