//! `DELETE /v1/tasks/{task_id}/checklists/{checklist_id}/items/{item_id}`: remove an item of a checklist.

use axum::extract::State;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{ChecklistId, ItemId, TaskId};
use taskfold_domain::task::commands::RemoveItem;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Remove an item of a checklist.
#[utoipa::path(
    delete, path = "/v1/tasks/{task_id}/checklists/{checklist_id}/items/{item_id}",
    operation_id = "removeChecklistItem", tag = "tasks",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("checklist_id" = Uuid, Path, description = "the checklist"),
        ("item_id" = Uuid, Path, description = "the item"),
        CommandHeaders
    ),
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((task_id, checklist_id, item_id)): Path<(TaskId, ChecklistId, ItemId)>,
) -> Result<Reply, ApiError> {
    let done = app
        .engine
        .task(task_id, TaskCommand::RemoveChecklistItem(RemoveItem { checklist_id, item_id }), request.envelope())
        .await?;
    Ok(done.into())
}
