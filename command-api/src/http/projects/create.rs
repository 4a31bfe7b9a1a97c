//! `POST /v1/projects`: create a project.

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::project::commands::CreateProject;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Body;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Create a project. The caller becomes its owner.
#[utoipa::path(
    post, path = "/v1/projects", operation_id = "createProject", tag = "projects",
    params(CommandHeaders),
    request_body = CreateProject,
    responses(
        (status = 201, description = "Created", body = CommandReply),
        CommandProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Body(body): Body<CreateProject>,
) -> Result<Reply, ApiError> {
    let id = body.id.unwrap_or_else(|| ProjectId(app.clock.new_id()));
    let done = app.engine.project(id, ProjectCommand::Create(body), request.envelope()).await?;
    Ok(Reply::created_at(done, |_, created| format!("/v1/projects/{created}")))
}
