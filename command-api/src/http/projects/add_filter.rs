use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::project::commands::AddFilter;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};
use crate::http::sent::{CommandHeaders, Sent};

/// Save a filter for all members.
#[utoipa::path(
    post, path = "/v1/projects/{project_id}/filters", operation_id = "addFilter", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), CommandHeaders),
    request_body = AddFilter,
    responses((status = 201, description = "Made", body = CommandReply), (status = 200, description = "Was so already, or a replay", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    sent: Sent,
    Path(project_id): Path<ProjectId>,
    Body(body): Body<AddFilter>,
) -> Result<Reply, ApiError> {
    let command = ProjectCommand::AddFilter(body);
    let done = app.engine.project(project_id, command, sent.envelope()).await?;
    Ok(Reply::at(done, |done, made| format!("/v1/projects/{}/filters/{made}", done.id)))
}
