//! Commands on a task, a file each.

/// Add a checklist.
pub mod add_checklist;
/// Let a task wait for another one.
pub mod add_dependency;
/// Add an item to a checklist.
pub mod add_item;
/// Archive a task: off the board, still found by `?archived=true`.
pub mod archive;
/// Assign a member.
pub mod assign;
/// Send one command to many tasks.
pub mod bulk;
/// Cancel a running or paused task.
pub mod cancel;
/// Change, tick or move an item (RFC 7396 merge patch).
pub mod change_item;
/// Comment on a task.
pub mod comment;
/// Complete a task, in the first column of the category `done`.
pub mod complete;
/// Create a task in a project.
pub mod create;
/// Delete a task; it can be restored.
pub mod delete;
/// Change a task (RFC 7396 merge patch): absent fields stay, null clears.
pub mod edit;
/// Edit one's own comment.
pub mod edit_comment;
/// Say that a running or paused task failed.
pub mod fail;
/// Put a label on.
pub mod label;
/// Move a task; entering a column of another category starts, completes or reopens it.
pub mod move_to;
/// Pause a running task.
pub mod pause;
/// Tell how far a running task is.
pub mod progress;
/// React to a comment with an emoji.
pub mod react;
/// Remove a checklist with its items.
pub mod remove_checklist;
/// Remove a comment: one's own, or as an admin any.
pub mod remove_comment;
/// Let it wait no longer.
pub mod remove_dependency;
/// Remove an item.
pub mod remove_item;
/// Rename a checklist.
pub mod rename_checklist;
/// Reopen a task that is over, in the first column of the category `todo`.
pub mod reopen;
/// Bring a deleted task back.
pub mod restore;
/// Resume a paused task.
pub mod resume;
/// Start a task, in the first column of the category `in_progress`.
pub mod start;
/// Put an archived task back on the board.
pub mod unarchive;
/// Take an assignee off.
pub mod unassign;
/// Take a label off.
pub mod unlabel;
/// Take a reaction back.
pub mod unreact;
/// Hear of it no more.
pub mod unwatch;
/// Hear of what happens to a task.
pub mod watch;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::handler))
        .routes(routes!(edit::handler))
        .routes(routes!(move_to::handler))
        .routes(routes!(assign::handler))
        .routes(routes!(unassign::handler))
        .routes(routes!(label::handler))
        .routes(routes!(unlabel::handler))
        .routes(routes!(start::handler))
        .routes(routes!(pause::handler))
        .routes(routes!(resume::handler))
        .routes(routes!(complete::handler))
        .routes(routes!(reopen::handler))
        .routes(routes!(archive::handler))
        .routes(routes!(unarchive::handler))
        .routes(routes!(restore::handler))
        .routes(routes!(cancel::handler))
        .routes(routes!(fail::handler))
        .routes(routes!(progress::handler))
        .routes(routes!(delete::handler))
        .routes(routes!(comment::handler))
        .routes(routes!(edit_comment::handler))
        .routes(routes!(remove_comment::handler))
        .routes(routes!(add_checklist::handler))
        .routes(routes!(rename_checklist::handler))
        .routes(routes!(remove_checklist::handler))
        .routes(routes!(add_item::handler))
        .routes(routes!(change_item::handler))
        .routes(routes!(remove_item::handler))
        .routes(routes!(watch::handler))
        .routes(routes!(unwatch::handler))
        .routes(routes!(add_dependency::handler))
        .routes(routes!(remove_dependency::handler))
        .routes(routes!(react::handler))
        .routes(routes!(unreact::handler))
        .routes(routes!(bulk::handler))
}
