//! `DELETE /v1/projects/{project_id}/filters/{filter_id}`: remove a saved filter.

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::{FilterId, ProjectId};
use taskfold_domain::project::commands::FilterRef;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Remove a saved filter.
#[utoipa::path(
    delete, path = "/v1/projects/{project_id}/filters/{filter_id}", operation_id = "removeFilter", tag = "projects",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("filter_id" = Uuid, Path, description = "the filter"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((project_id, filter_id)): Path<(ProjectId, FilterId)>,
) -> Result<Reply, ApiError> {
    let command = ProjectCommand::RemoveFilter(FilterRef { filter_id });
    let done = app.engine.project(project_id, command, request.envelope()).await?;
    Ok(done.into())
}
