//! `PUT /v1/tasks/{task_id}/dependencies/{dependency_id}`: add a dependency.

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::TaskId;
use taskfold_domain::task::commands::Dependency;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Add a dependency: the task waits for another task of the project.
#[utoipa::path(
    put, path = "/v1/tasks/{task_id}/dependencies/{dependency_id}", operation_id = "addDependency", tag = "tasks",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("dependency_id" = Uuid, Path, description = "the task that it waits for"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((task_id, dependency_id)): Path<(TaskId, TaskId)>,
) -> Result<Reply, ApiError> {
    let command = TaskCommand::AddDependency(Dependency { task_id: dependency_id });
    let done = app.engine.task(task_id, command, request.envelope()).await?;
    Ok(done.into())
}
