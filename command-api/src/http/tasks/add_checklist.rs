use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::TaskId;
use taskfold_domain::task::commands::AddChecklist;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};

use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};
use crate::http::sent::{CommandHeaders, Sent};

/// Add a checklist.
#[utoipa::path(
    post, path = "/v1/tasks/{task_id}/checklists", operation_id = "addChecklist", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), CommandHeaders),
    request_body = AddChecklist,
    responses((status = 201, description = "Made", body = CommandReply), (status = 200, description = "Was so already, or a replay", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    sent: Sent,
    Path(task_id): Path<TaskId>,
    Body(body): Body<AddChecklist>,
) -> Result<Reply, ApiError> {
    let done = app.engine.task(task_id, TaskCommand::AddChecklist(body), sent.envelope()).await?;
    Ok(Reply::at(done, |done, made| format!("/v1/tasks/{}/checklists/{made}", done.id)))
}
