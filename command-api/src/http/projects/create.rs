use axum::extract::State;
use taskfold_domain::ProjectCommand;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::project::commands::CreateProject;
use taskfold_event_log::clock;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Body;

use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};
use crate::http::sent::{CommandHeaders, Sent};

/// Create a project, its caller the owner.
#[utoipa::path(
    post, path = "/v1/projects", operation_id = "createProject", tag = "projects",
    params(CommandHeaders),
    request_body = CreateProject,
    responses(
        (status = 201, description = "Made", body = CommandReply),
        CommandProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(State(app): State<App>, sent: Sent, Body(body): Body<CreateProject>) -> Result<Reply, ApiError> {
    let id = body.id.unwrap_or_else(|| ProjectId(clock::new_id()));
    let done = app.engine.project(id, ProjectCommand::Create(body), sent.envelope()).await?;
    Ok(Reply::at(done, |_, made| format!("/v1/projects/{made}")))
}
