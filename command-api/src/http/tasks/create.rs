use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{ProjectId, TaskId};
use taskfold_domain::task::commands::CreateTask;
use taskfold_event_log::clock;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};
use crate::http::sent::{CommandHeaders, Sent};

/// Create a task in a project.
#[utoipa::path(
    post, path = "/v1/projects/{project_id}/tasks", operation_id = "createTask", tag = "tasks",
    params(("project_id" = Uuid, Path, description = "the project"), CommandHeaders),
    request_body = CreateTask,
    responses(
        (status = 201, description = "Made", body = CommandReply),
        CommandProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    sent: Sent,
    Path(project_id): Path<ProjectId>,
    Body(body): Body<CreateTask>,
) -> Result<Reply, ApiError> {
    let id = body.id.unwrap_or_else(|| TaskId(clock::new_id()));
    let command = TaskCommand::Create(Box::new(body));
    let done = app.engine.task(id, command, sent.envelope_in(project_id)).await?;
    Ok(Reply::at(done, |_, made| format!("/v1/tasks/{made}")))
}
