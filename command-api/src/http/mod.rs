//! HTTP in: each operation is a file.

pub mod accounts;
/// Tokens for scripts and services.
pub mod api_tokens;
/// What handlers share.
pub mod app;
/// Files on tasks, sent in one request.
pub mod attachments;
/// Errors as problems.
pub mod error;
/// Boards of other programs.
pub mod imports;
/// Links by which people join a project.
pub mod invitations;
/// Lists in pages.
mod page;
pub mod projects;
/// What a command answers.
pub mod reply;
/// Who sends a command, with its headers.
pub mod sent;
pub mod tasks;
pub mod teams;
/// Files on tasks, sent in several requests, as the protocol tus has it.
pub mod uploads;

use taskfold_web::auth::security_scheme;
use taskfold_web::{Problem, problem};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use app::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Taskfold command API",
        description = "Ask for a change. Each command is decided against its task or project and appended to the log; \
                       the answer carries the Changes and their position."
    ),
    tags(
        (name = "accounts", description = "Accounts, sessions and tokens"),
        (name = "projects", description = "Projects: columns, labels, members, teams, filters"),
        (name = "teams", description = "People who have roles in projects together"),
        (name = "imports", description = "Boards of other programs"),
        (name = "tasks", description = "Tasks: fields, lifecycle, comments, checklists"),
        (name = "api tokens", description = "Tokens for scripts and services"),
        (name = "invitations", description = "Links by which people join a project"),
        (name = "attachments", description = "Files on tasks")
    ),
    components(schemas(Problem))
)]
struct Document;

/// All routes with their document.
pub fn router() -> OpenApiRouter<App> {
    let mut document = Document::openapi();
    document.components.get_or_insert_default().add_security_scheme("bearer", security_scheme());
    problem::add_to(&mut document);
    OpenApiRouter::with_openapi(document)
        .merge(accounts::router())
        .merge(projects::router())
        .merge(tasks::router())
        .merge(teams::router())
        .merge(attachments::router())
        .merge(uploads::router())
        .merge(imports::router())
        .merge(api_tokens::router())
        .merge(invitations::router())
}
