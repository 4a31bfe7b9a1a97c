//! `DELETE /v1/projects/{project_id}/members/{user_id}`: remove a member.

use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::project::commands::MemberRef;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Remove a member. All members may remove themselves.
#[utoipa::path(
    delete, path = "/v1/projects/{project_id}/members/{user_id}", operation_id = "removeMember", tag = "projects",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("user_id" = Uuid, Path, description = "the user"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((project_id, user_id)): Path<(ProjectId, UserId)>,
) -> Result<Reply, ApiError> {
    let done =
        app.engine.project(project_id, ProjectCommand::RemoveMember(MemberRef { user_id }), request.envelope()).await?;
    Ok(done.into())
}
