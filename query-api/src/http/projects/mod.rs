//! Reads of a project, a file each.

/// The board: columns with their cards.
pub mod board;
/// Tasks on their days.
pub mod calendar;
/// The same for calendar programs.
pub mod calendar_ics;
/// The feed: Changes page by page.
pub mod events;
/// One project.
pub mod get;
/// The caller's projects.
pub mod list;
/// Who is in it.
pub mod members;
/// Its tasks, filtered and sorted.
pub mod tasks;
/// The lists of tasks in SQL.
mod tasks_sql;
/// The teams that have a role in it.
pub mod teams;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::handler))
        .routes(routes!(get::handler))
        .routes(routes!(members::handler))
        .routes(routes!(board::handler))
        .routes(routes!(calendar::handler))
        .routes(routes!(calendar_ics::handler))
        .routes(routes!(tasks::handler))
        .routes(routes!(events::handler))
        .routes(routes!(teams::handler))
}
