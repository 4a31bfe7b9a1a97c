//! `DELETE /v1/tasks/{task_id}/checklists/{checklist_id}`: remove a checklist with its items.

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{ChecklistId, TaskId};
use taskfold_domain::task::commands::RemoveChecklist;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Remove a checklist with its items.
#[utoipa::path(
    delete, path = "/v1/tasks/{task_id}/checklists/{checklist_id}", operation_id = "removeChecklist", tag = "tasks",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("checklist_id" = Uuid, Path, description = "the checklist"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((task_id, checklist_id)): Path<(TaskId, ChecklistId)>,
) -> Result<Reply, ApiError> {
    let done = app
        .engine
        .task(task_id, TaskCommand::RemoveChecklist(RemoveChecklist { checklist_id }), request.envelope())
        .await?;
    Ok(done.into())
}
