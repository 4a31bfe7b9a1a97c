//! Calendars by link, for programs that cannot sign in: the secret in the link is the only credential.

/// The calendar of a link.
pub mod by_link;
/// Creation of a link.
pub mod create;
/// Tasks as iCalendar.
pub mod ics;
/// List of the caller's links.
pub mod list;
/// Revocation of a link.
pub mod revoke;
/// Tasks of a calendar.
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

/// Hash under which a secret is stored. A plain digest is sufficient for a random value of 256 bits.
fn secret_hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}
