//! Tokens for scripts and services. Only people create, list and revoke them, never another token.

/// Create a token for a script or a service.
pub mod create;
/// List the caller's API tokens, oldest first, including expired ones but not revoked ones.
pub mod list;
/// Revoke an API token.
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
