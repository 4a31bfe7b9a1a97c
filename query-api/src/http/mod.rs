//! HTTP in: each operation is a file.

/// Who may see what.
mod access;
/// What a read answers, with its headers.
mod answer;
/// What handlers share.
pub mod app;
/// Files on tasks.
pub mod attachments;
/// Calendars for programs that cannot sign in.
pub mod calendars;
/// Why a read was not answered.
mod error;
/// Changes in bodies.
mod feed;
/// Who is signed in.
pub mod me;
/// What people should hear of.
pub mod notifications;
/// Lists in pages.
mod page;
/// What the log has and the read tables have not yet.
mod pending;
/// Who is there, in a project, right now.
pub mod presence;
pub mod projects;
/// Who reads, and as of which position.
mod reading;
/// What is found by its words.
pub mod search;
/// Words in columns of text.
mod stored;
pub mod streams;
pub mod tasks;
pub mod teams;
/// Values of query parameters.
mod values;
/// Tasks as they are shown.
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
        description = "Ask what is. Every answer says which position of the log it reflects; the feed and the streams \
                       go on from there."
    ),
    tags(
        (name = "me", description = "Who is signed in, and what is theirs"),
        (name = "search", description = "Full text over what the caller may see"),
        (name = "calendars", description = "Calendars by a link, for programs that cannot sign in"),
        (name = "projects", description = "Projects: boards, lists, members"),
        (name = "teams", description = "People who have roles in projects together"),
        (name = "tasks", description = "Tasks: comments, history"),
        (name = "attachments", description = "Files on tasks"),
        (name = "feed", description = "Changes: page by page, and as they happen"),
        (name = "presence", description = "Who is there right now, and at which task")
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
