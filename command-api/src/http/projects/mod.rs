//! Commands on a project, a file each.

/// Add a column.
pub mod add_column;
/// Save a filter for all members.
pub mod add_filter;
/// Add a label.
pub mod add_label;
/// Archive a project: it can be read, and restored.
pub mod archive;
/// Archive a column: it and its cards are off the board, but kept.
pub mod archive_column;
/// Create a project, its caller the owner.
pub mod create;
/// Rename or describe a project (RFC 7396 merge patch).
pub mod edit;
/// Rename, move or limit a column (RFC 7396 merge patch).
pub mod edit_column;
/// Change a saved filter (RFC 7396 merge patch).
pub mod edit_filter;
/// Rename or recolour a label (RFC 7396 merge patch).
pub mod edit_label;
/// Remove a column that holds no tasks.
pub mod remove_column;
/// Remove a saved filter.
pub mod remove_filter;
/// Remove a label from the project and its tasks.
pub mod remove_label;
/// Remove a member; anyone may remove themselves.
pub mod remove_member;
/// Take the role of a team back.
pub mod remove_team;
/// Bring an archived project back.
pub mod restore;
/// Bring an archived column back.
pub mod restore_column;
/// Add a member, or change their role.
pub mod set_member;
/// Give a team a role, or change it.
pub mod set_team;
/// Hear of it no more.
pub mod unwatch;
/// Hear of everything that happens here.
pub mod watch;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::handler))
        .routes(routes!(edit::handler))
        .routes(routes!(archive::handler))
        .routes(routes!(restore::handler))
        .routes(routes!(add_column::handler))
        .routes(routes!(edit_column::handler))
        .routes(routes!(remove_column::handler))
        .routes(routes!(archive_column::handler))
        .routes(routes!(restore_column::handler))
        .routes(routes!(add_label::handler))
        .routes(routes!(edit_label::handler))
        .routes(routes!(remove_label::handler))
        .routes(routes!(set_member::handler))
        .routes(routes!(remove_member::handler))
        .routes(routes!(set_team::handler))
        .routes(routes!(remove_team::handler))
        .routes(routes!(watch::handler))
        .routes(routes!(unwatch::handler))
        .routes(routes!(add_filter::handler))
        .routes(routes!(edit_filter::handler))
        .routes(routes!(remove_filter::handler))
}
