//! `POST /v1/tasks/{task_id}/checklists/{checklist_id}/items`: add an item to a checklist.

use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::ItemId;
use taskfold_domain::ids::{ChecklistId, TaskId};
use taskfold_domain::input::ItemText;
use taskfold_domain::patch;
use taskfold_domain::task::commands::AddItem;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};
use utoipa::ToSchema;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// A new item behind `after` (null: the first place); without `after`, the last.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewItem {
    id: Option<ItemId>,
    text: ItemText,
    #[serde(default)]
    done: bool,
    #[serde(default, deserialize_with = "patch::present")]
    #[schema(value_type = Option<ItemId>)]
    after: Option<Option<ItemId>>,
}

/// Add an item to a checklist.
#[utoipa::path(
    post, path = "/v1/tasks/{task_id}/checklists/{checklist_id}/items",
    operation_id = "addChecklistItem", tag = "tasks",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("checklist_id" = Uuid, Path, description = "the checklist"),
        CommandHeaders
    ),
    request_body = NewItem,
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
    Path((task_id, checklist_id)): Path<(TaskId, ChecklistId)>,
    Body(body): Body<NewItem>,
) -> Result<Reply, ApiError> {
    let done = app
        .engine
        .task(
            task_id,
            TaskCommand::AddChecklistItem(AddItem {
                checklist_id,
                id: body.id,
                text: body.text,
                done: body.done,
                after: body.after,
            }),
            request.envelope(),
        )
        .await?;
    Ok(Reply::created_at(done, |done, created| {
        format!("/v1/tasks/{}/checklists/{checklist_id}/items/{created}", done.id)
    }))
}
