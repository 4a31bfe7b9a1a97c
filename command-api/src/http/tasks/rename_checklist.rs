//! `PATCH /v1/tasks/{task_id}/checklists/{checklist_id}`: rename a checklist.

use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{ChecklistId, TaskId};
use taskfold_domain::input::Name;
use taskfold_domain::task::commands::RenameChecklist;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};
use utoipa::ToSchema;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChecklistPatch {
    title: Name,
}

/// Rename a checklist.
#[utoipa::path(
    patch, path = "/v1/tasks/{task_id}/checklists/{checklist_id}", operation_id = "renameChecklist", tag = "tasks",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("checklist_id" = Uuid, Path, description = "the checklist"),
        CommandHeaders
    ),
    request_body = ChecklistPatch,
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((task_id, checklist_id)): Path<(TaskId, ChecklistId)>,
    Body(body): Body<ChecklistPatch>,
) -> Result<Reply, ApiError> {
    let done = app
        .engine
        .task(
            task_id,
            TaskCommand::RenameChecklist(RenameChecklist { checklist_id, title: body.title }),
            request.envelope(),
        )
        .await?;
    Ok(done.into())
}
