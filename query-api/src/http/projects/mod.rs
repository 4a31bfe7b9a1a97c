//! Reads of projects, one operation per file.

/// The board.
pub mod board;
/// Tasks of a range of days.
pub mod calendar;
/// The calendar for calendar programs.
pub mod calendar_ics;
/// Changes, in pages.
pub mod events;
/// One project.
pub mod get;
/// The caller's projects.
pub mod list;
/// Members.
pub mod members;
/// Tasks, filtered and sorted.
pub mod tasks;
/// SQL of the task list.
mod tasks_sql;
/// Teams with a role in the project.
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
