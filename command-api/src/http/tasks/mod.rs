//! Commands on tasks, one operation per file.

/// Add a checklist.
pub mod add_checklist;
/// Add a dependency.
pub mod add_dependency;
/// Add an item to a checklist.
pub mod add_item;
/// Archive a task.
pub mod archive;
/// Assign a member to a task.
pub mod assign;
/// Send one command to many tasks.
pub mod bulk;
/// Cancel a running or paused task.
pub mod cancel;
/// Change, check or move an item (RFC 7396 merge patch).
pub mod change_item;
/// Comment on a task.
pub mod comment;
/// Complete a task, in the first column of the category `done`.
pub mod complete;
/// Create a task in a project.
pub mod create;
/// Delete a task.
pub mod delete;
/// Edit a task (RFC 7396 merge patch).
pub mod edit;
/// Edit a comment of the caller.
pub mod edit_comment;
/// Mark a running or paused task as failed.
pub mod fail;
/// Add a label to a task.
pub mod label;
/// Move a task.
pub mod move_to;
/// Pause a running task.
pub mod pause;
/// Report the progress of a running task.
pub mod progress;
/// React to a comment with an emoji.
pub mod react;
/// Remove a checklist with its items.
pub mod remove_checklist;
/// Remove a comment.
pub mod remove_comment;
/// Remove a dependency.
pub mod remove_dependency;
/// Remove an item of a checklist.
pub mod remove_item;
/// Rename a checklist.
pub mod rename_checklist;
/// Reopen a finished task, in the first column of the category `todo`.
pub mod reopen;
/// Restore a deleted task.
pub mod restore;
/// Resume a paused task.
pub mod resume;
/// Start a task, in the first column of the category `in_progress`.
pub mod start;
/// Move an archived task back to the board.
pub mod unarchive;
/// Remove an assignee.
pub mod unassign;
/// Remove a label from a task.
pub mod unlabel;
/// Remove the caller's reaction from a comment.
pub mod unreact;
/// Stop watching a task.
pub mod unwatch;
/// Watch a task.
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
