//! Imports: boards of other programs, replayed as commands with their own times and authors.

/// What a request for an import says.
mod asked;
/// Take an upload, and import it after the answer.
pub mod create;
/// How an import stands.
pub mod get;
/// Accounts for the people of a board, who cannot sign in.
mod people;
/// One import from its upload to its end.
mod run;
/// Sending one command of an import.
mod send;
/// What an import counts but cannot take over.
pub mod skipped;
/// Imports in the database.
mod store;
/// Trello boards.
pub mod trello;
/// The loop that works on imports, one at a time.
pub mod worker;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create::handler)).routes(routes!(get::handler))
}
