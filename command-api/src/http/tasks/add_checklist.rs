//! `POST /v1/tasks/{task_id}/checklists`: add a checklist.

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::TaskId;
use taskfold_domain::task::commands::AddChecklist;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Add a checklist.
#[utoipa::path(
    post, path = "/v1/tasks/{task_id}/checklists", operation_id = "addChecklist", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), CommandHeaders),
    request_body = AddChecklist,
    responses(
        (status = 201, description = "Created", body = CommandReply),
        (status = 200, description = "Already in this state, or a replay", body = CommandReply),
        CommandProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path(task_id): Path<TaskId>,
    Body(body): Body<AddChecklist>,
) -> Result<Reply, ApiError> {
    let done = app.engine.task(task_id, TaskCommand::AddChecklist(body), request.envelope()).await?;
    Ok(Reply::created_at(done, |done, created| format!("/v1/tasks/{}/checklists/{created}", done.id)))
}
