//! Accounts, sessions and tokens.

/// Limits of failed sign-ins.
mod attempts;
/// Change the caller's password.
pub mod change_password;
/// Create an account.
pub mod create;
/// Change the caller's name.
pub mod edit;
/// End another session of the caller.
pub mod end_session;
/// End all other sessions of the caller.
pub mod end_sessions;
/// Get the public keys with which access tokens are verified.
pub mod jwks;
/// Hashing and verification of passwords.
mod password;
/// Refresh a session.
pub mod refresh;
/// List the caller's sessions.
pub mod sessions;
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

pub use self::attempts::SignInAttempts;
pub use self::create::SignUp;
pub use self::password::{HashingSlots, NewPassword};
pub use self::username::Username;
use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::handler))
        .routes(routes!(sign_in::handler))
        .routes(routes!(refresh::handler))
        .routes(routes!(sign_out::handler))
        .routes(routes!(edit::handler))
        .routes(routes!(change_password::handler))
        .routes(routes!(sessions::handler, end_sessions::handler))
        .routes(routes!(end_session::handler))
        .routes(routes!(ticket::handler))
        .routes(routes!(jwks::handler))
}
