//! Calendars by a link whose secret is all that a calendar program needs to know, a file each operation.

/// The calendar of a link.
pub mod by_link;
/// A new link.
pub mod create;
/// Tasks as iCalendar.
pub mod ics;
/// The caller's links.
pub mod list;
/// A link that is no longer good.
pub mod revoke;
/// The tasks of a calendar.
pub mod tasks;

use sha2::{Digest, Sha256};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::handler, list::handler))
        .routes(routes!(revoke::handler))
        .routes(routes!(by_link::handler))
}

/// What is stored of a secret. A plain digest is enough: nobody guesses 256 bits.
fn secret_hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}
