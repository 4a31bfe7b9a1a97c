//! Accounts, sessions and tokens.

/// Create an account.
pub mod create;
/// Get the public keys with which access tokens are verified.
pub mod jwks;
/// Hashing and verification of passwords.
mod password;
/// Refresh a session.
pub mod refresh;
/// Sign in.
pub mod sign_in;
/// Sign out.
pub mod sign_out;
/// Create a ticket for `EventSource`, which cannot send headers.
pub mod ticket;
/// The tokens of a session, and secrets.
pub mod tokens;
/// Validation of usernames.
mod username;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::handler))
        .routes(routes!(sign_in::handler))
        .routes(routes!(refresh::handler))
        .routes(routes!(sign_out::handler))
        .routes(routes!(ticket::handler))
        .routes(routes!(jwks::handler))
}
