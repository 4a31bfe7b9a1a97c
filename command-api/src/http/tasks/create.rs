//! `POST /v1/projects/{project_id}/tasks`: create a task in a project.

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{ProjectId, TaskId};
use taskfold_domain::task::commands::CreateTask;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Create a task in a project.
#[utoipa::path(
    post, path = "/v1/projects/{project_id}/tasks", operation_id = "createTask", tag = "tasks",
    params(("project_id" = Uuid, Path, description = "the project"), CommandHeaders),
    request_body = CreateTask,
    responses(
        (status = 201, description = "Created", body = CommandReply),
        CommandProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path(project_id): Path<ProjectId>,
    Body(body): Body<CreateTask>,
) -> Result<Reply, ApiError> {
    let id = body.id.unwrap_or_else(|| TaskId(app.clock.new_id()));
    let command = TaskCommand::Create(Box::new(body));
    let done = app.engine.task(id, command, request.envelope_in(project_id)).await?;
    Ok(Reply::created_at(done, |_, created| format!("/v1/tasks/{created}")))
}
