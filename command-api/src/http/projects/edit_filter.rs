//! `PATCH /v1/projects/{project_id}/filters/{filter_id}`: change a saved filter (RFC 7396 merge patch).

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::{FilterId, ProjectId};
use taskfold_domain::project::commands::{EditFilter, FilterPatch};
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Change a saved filter (RFC 7396 merge patch).
#[utoipa::path(
    patch, path = "/v1/projects/{project_id}/filters/{filter_id}", operation_id = "editFilter", tag = "projects",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("filter_id" = Uuid, Path, description = "the filter"),
        CommandHeaders
    ),
    request_body = FilterPatch,
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((project_id, filter_id)): Path<(ProjectId, FilterId)>,
    Body(body): Body<FilterPatch>,
) -> Result<Reply, ApiError> {
    let command = ProjectCommand::EditFilter(EditFilter { filter_id, change: body });
    let done = app.engine.project(project_id, command, request.envelope()).await?;
    Ok(done.into())
}
