//! `DELETE /v1/projects/{project_id}/columns/{column_id}`: remove a column that contains no tasks.

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::{ColumnId, ProjectId};
use taskfold_domain::project::commands::ColumnRef;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Remove a column that contains no tasks.
#[utoipa::path(
    delete, path = "/v1/projects/{project_id}/columns/{column_id}", operation_id = "removeColumn", tag = "projects",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("column_id" = Uuid, Path, description = "the column"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((project_id, column_id)): Path<(ProjectId, ColumnId)>,
) -> Result<Reply, ApiError> {
    let done = app
        .engine
        .project(project_id, ProjectCommand::RemoveColumn(ColumnRef { column_id }), request.envelope())
        .await?;
    Ok(done.into())
}
