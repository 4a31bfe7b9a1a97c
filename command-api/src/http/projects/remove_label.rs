//! `DELETE /v1/projects/{project_id}/labels/{label_id}`: remove a label from the project and its tasks.

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::{LabelId, ProjectId};
use taskfold_domain::project::commands::LabelRef;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Remove a label from the project and its tasks.
#[utoipa::path(
    delete, path = "/v1/projects/{project_id}/labels/{label_id}", operation_id = "removeLabel", tag = "projects",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("label_id" = Uuid, Path, description = "the label"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((project_id, label_id)): Path<(ProjectId, LabelId)>,
) -> Result<Reply, ApiError> {
    let done =
        app.engine.project(project_id, ProjectCommand::RemoveLabel(LabelRef { label_id }), request.envelope()).await?;
    Ok(done.into())
}
