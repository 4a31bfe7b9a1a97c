//! HTTP routes of the query API. Each operation has its own file.

/// State that the handlers share.
pub mod app;
/// Files on tasks.
pub mod attachments;
/// Calendars by link, for programs that cannot sign in.
pub mod calendars;
/// Errors of reads, as problems.
mod error;
/// Entity tags.
mod etag;
/// JSON of Changes.
mod feed;
/// The caller's own account, tasks and filters.
pub mod me;
/// Membership of the caller in a project.
mod membership;
/// Limits, roles, event types, and the id of the log.
mod meta;
/// Notifications of the caller.
pub mod notifications;
/// Lists in pages.
mod page;
/// Projects, tasks and teams that are in the log but not yet in the read tables.
mod pending;
/// Presence in a project.
pub mod presence;
/// Waiting for the read tables.
mod projection;
/// Projects and their boards, lists and members.
pub mod projects;
/// Caller and headers of a read.
mod read_request;
/// Responses to reads.
mod read_response;
/// Full-text search.
pub mod search;
/// Read transactions as of one position.
mod snapshot;
/// Live streams.
pub mod streams;
/// Tasks, their comments and their history.
pub mod tasks;
/// Teams and their members.
pub mod teams;
/// Text columns with the names of variants.
mod text_enum;
/// Values of query parameters.
mod values;
/// JSON of tasks.
mod view;

use taskfold_web::auth::security_scheme;
use taskfold_web::{Problem, problem};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use app::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Taskfold query API",
        description = "Reads of Taskfold. Every response has the position of the log that it reflects; the feed and the \
                       streams continue from there."
    ),
    tags(
        (name = "meta", description = "Limits, roles and what they permit"),
        (name = "me", description = "The caller's account, tasks, filters and notifications"),
        (name = "search", description = "Full-text search over the caller's projects"),
        (name = "calendars", description = "Calendars by link, for programs that cannot sign in"),
        (name = "projects", description = "Projects, their boards, lists and members"),
        (name = "teams", description = "Groups of users with a common role in projects"),
        (name = "tasks", description = "Tasks, their comments and their history"),
        (name = "attachments", description = "Attachments of tasks"),
        (name = "feed", description = "Changes, in pages and as live streams"),
        (name = "presence", description = "Users who have a project open, and the tasks that they look at")
    ),
    components(schemas(Problem, taskfold_domain::Change, taskfold_live::PresenceFrame))
)]
struct Document;

/// All routes with their document.
pub fn router() -> OpenApiRouter<App> {
    let mut document = Document::openapi();
    document.components.get_or_insert_default().add_security_scheme("bearer", security_scheme());
    problem::add_to(&mut document);
    OpenApiRouter::with_openapi(document)
        .merge(me::router())
        .routes(routes!(meta::handler))
        .routes(routes!(search::handler))
        .merge(calendars::router())
        .merge(projects::router())
        .merge(tasks::router())
        .merge(teams::router())
        .merge(notifications::router())
        .merge(attachments::router())
        .merge(streams::router())
        .merge(presence::router())
}
