//! Tokens for scripts and services: made, listed and revoked by people, never by another token.

/// Make one; it is shown once.
pub mod create;
/// The caller's, without their secrets.
pub mod list;
/// Revoke one: it is worth nothing within 5 seconds.
pub mod revoke;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::handler))
        .routes(routes!(list::handler))
        .routes(routes!(revoke::handler))
}
