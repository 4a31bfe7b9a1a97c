//! HTTP routes of the command API. Each operation has its own file.

/// Accounts, sessions and tokens.
pub mod accounts;
/// Tokens for scripts and services.
pub mod api_tokens;
/// State that the handlers share.
pub mod app;
/// Files on tasks, sent in one request.
pub mod attachments;
/// Transactions in which credentials are made.
mod authority;
/// Claims of placeholders of imported people.
pub mod claims;
/// Command requests: the caller, and the headers of every command.
pub mod command_request;
/// Errors, and the problems with which they are answered.
pub mod error;
/// Imports of boards.
pub mod imports;
/// Invitation links.
pub mod invitations;
/// Lists in pages.
mod page;
/// Commands on projects.
pub mod projects;
/// Responses to commands.
pub mod reply;
/// Commands on tasks.
pub mod tasks;
/// Commands on teams.
pub mod teams;
/// Files on tasks, sent in several requests (tus).
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
        description = "Changes projects, tasks and teams. Each command is decided on the state of its project, task or \
                       team and appended to the log; the response has the Changes and their position."
    ),
    tags(
        (name = "accounts", description = "Accounts, sessions and tokens"),
        (name = "projects", description = "Projects: columns, labels, members, teams, filters"),
        (name = "teams", description = "Groups of people who have roles in projects"),
        (name = "imports", description = "Imports of boards from other programs"),
        (name = "tasks", description = "Tasks: fields, lifecycle, comments, checklists"),
        (name = "api tokens", description = "Tokens for scripts and services"),
        (name = "invitations", description = "Invitation links, by which people join a project"),
        (name = "attachments", description = "Files on tasks")
    ),
    components(schemas(Problem))
)]
struct Document;

/// All routes, with their document.
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
        .merge(claims::router())
}
