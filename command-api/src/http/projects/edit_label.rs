//! `PATCH /v1/projects/{project_id}/labels/{label_id}`: rename or recolor a label (RFC 7396 merge patch).

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::{LabelId, ProjectId};
use taskfold_domain::project::commands::{EditLabel, LabelPatch};
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Rename or recolor a label (RFC 7396 merge patch).
#[utoipa::path(
    patch, path = "/v1/projects/{project_id}/labels/{label_id}", operation_id = "editLabel", tag = "projects",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("label_id" = Uuid, Path, description = "the label"),
        CommandHeaders
    ),
    request_body = LabelPatch,
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((project_id, label_id)): Path<(ProjectId, LabelId)>,
    Body(body): Body<LabelPatch>,
) -> Result<Reply, ApiError> {
    let done = app
        .engine
        .project(project_id, ProjectCommand::EditLabel(EditLabel { label_id, change: body }), request.envelope())
        .await?;
    Ok(done.into())
}
