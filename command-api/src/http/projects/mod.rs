//! Commands on projects, one operation per file.

/// Add a column.
pub mod add_column;
/// Save a filter for all members.
pub mod add_filter;
/// Add a label.
pub mod add_label;
/// Archive a project.
pub mod archive;
/// Archive a column.
pub mod archive_column;
/// Create a project.
pub mod create;
/// Rename or describe a project (RFC 7396 merge patch).
pub mod edit;
/// Rename, move or limit a column (RFC 7396 merge patch).
pub mod edit_column;
/// Change a saved filter (RFC 7396 merge patch).
pub mod edit_filter;
/// Rename or recolor a label (RFC 7396 merge patch).
pub mod edit_label;
/// Remove a column that contains no tasks.
pub mod remove_column;
/// Remove a saved filter.
pub mod remove_filter;
/// Remove a label from the project and its tasks.
pub mod remove_label;
/// Remove a member.
pub mod remove_member;
/// Remove the role of a team.
pub mod remove_team;
/// Restore an archived project.
pub mod restore;
/// Restore an archived column.
pub mod restore_column;
/// Add a member, or change their role.
pub mod set_member;
/// Give all members of a team a role in the project, or change that role.
pub mod set_team;
/// Stop watching a project.
pub mod unwatch;
/// Watch a project.
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
