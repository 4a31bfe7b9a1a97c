//! `PATCH /v1/projects/{project_id}/columns/{column_id}`: rename, move or limit a column (RFC 7396 merge patch).

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::{ColumnId, ProjectId};
use taskfold_domain::project::commands::{ColumnPatch, EditColumn};
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Rename, move or limit a column (RFC 7396 merge patch).
#[utoipa::path(
    patch, path = "/v1/projects/{project_id}/columns/{column_id}", operation_id = "editColumn", tag = "projects",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("column_id" = Uuid, Path, description = "the column"),
        CommandHeaders
    ),
    request_body = ColumnPatch,
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((project_id, column_id)): Path<(ProjectId, ColumnId)>,
    Body(body): Body<ColumnPatch>,
) -> Result<Reply, ApiError> {
    let done = app
        .engine
        .project(project_id, ProjectCommand::EditColumn(EditColumn { column_id, change: body }), request.envelope())
        .await?;
    Ok(done.into())
}
