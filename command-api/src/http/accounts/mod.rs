//! Accounts, sessions and tokens.

/// Create an account.
pub mod create;
/// The public keys of access tokens.
pub mod jwks;
/// Hashing and checking passwords.
mod password;
/// Replace a refresh token.
pub mod refresh;
/// Sign in.
pub mod sign_in;
/// Sign out.
pub mod sign_out;
/// A ticket for `EventSource` URLs.
pub mod ticket;
/// What a sign-in and a refresh answer, and secrets.
pub mod tokens;
/// Usernames.
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
