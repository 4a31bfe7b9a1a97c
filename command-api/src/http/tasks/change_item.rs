//! `PATCH /v1/tasks/{task_id}/checklists/{checklist_id}/items/{item_id}`: change, check or move an item (RFC 7396 merge
//! patch).

use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{ChecklistId, ItemId, TaskId};
use taskfold_domain::input::ItemText;
use taskfold_domain::patch;
use taskfold_domain::task::commands::ChangeItem;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};
use utoipa::ToSchema;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemPatch {
    #[serde(default, deserialize_with = "patch::not_null")]
    #[schema(nullable = false)]
    text: Option<ItemText>,
    #[serde(default, deserialize_with = "patch::not_null")]
    #[schema(nullable = false)]
    done: Option<bool>,
    /// Behind which item; null moves it to the first place.
    #[serde(default, deserialize_with = "patch::present")]
    #[schema(value_type = Option<ItemId>)]
    after: Option<Option<ItemId>>,
}

/// Change, check or move an item (RFC 7396 merge patch).
#[utoipa::path(
    patch, path = "/v1/tasks/{task_id}/checklists/{checklist_id}/items/{item_id}",
    operation_id = "changeChecklistItem", tag = "tasks",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("checklist_id" = Uuid, Path, description = "the checklist"),
        ("item_id" = Uuid, Path, description = "the item"),
        CommandHeaders
    ),
    request_body = ItemPatch,
    responses((status = 200, description = "Done", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((task_id, checklist_id, item_id)): Path<(TaskId, ChecklistId, ItemId)>,
    Body(body): Body<ItemPatch>,
) -> Result<Reply, ApiError> {
    let done = app
        .engine
        .task(
            task_id,
            TaskCommand::ChangeChecklistItem(ChangeItem {
                checklist_id,
                item_id,
                text: body.text,
                done: body.done,
                after: body.after,
            }),
            request.envelope(),
        )
        .await?;
    Ok(done.into())
}
