//! `POST /v1/projects/{project_id}/labels`: add a label.

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::project::commands::AddLabel;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Add a label.
#[utoipa::path(
    post, path = "/v1/projects/{project_id}/labels", operation_id = "addLabel", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), CommandHeaders),
    request_body = AddLabel,
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
    Body(body): Body<AddLabel>,
) -> Result<Reply, ApiError> {
    let done = app.engine.project(project_id, ProjectCommand::AddLabel(body), request.envelope()).await?;
    Ok(Reply::created_at(done, |done, created| format!("/v1/projects/{}/labels/{created}", done.id)))
}
