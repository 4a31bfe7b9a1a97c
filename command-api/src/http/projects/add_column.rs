//! `POST /v1/projects/{project_id}/columns`: add a column.

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::project::commands::AddColumn;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Add a column.
#[utoipa::path(
    post, path = "/v1/projects/{project_id}/columns", operation_id = "addColumn", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), CommandHeaders),
    request_body = AddColumn,
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
    Body(body): Body<AddColumn>,
) -> Result<Reply, ApiError> {
    let done = app.engine.project(project_id, ProjectCommand::AddColumn(body), request.envelope()).await?;
    Ok(Reply::created_at(done, |done, created| format!("/v1/projects/{}/columns/{created}", done.id)))
}
