//! Who asks. Our own tokens are EdDSA (RFC 8037): access tokens for requests, tickets for `EventSource` URLs, which cannot
//! send headers. API tokens and those of an outside issuer are looked up by what the program brings along.

/// Who asks.
mod caller;
/// What our own tokens say.
mod claims;
/// Heads of tokens.
pub mod jws;
/// Makes tokens.
mod signer;
/// Checks tokens.
mod verifier;

use http::header::AUTHORIZATION;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

pub use self::caller::{Caller, Means};
pub use self::signer::{KeyError, Signer};
pub use self::verifier::{ApiTokens, KeySource, OutsideIssuer, Ticket, TokenKey, Verifier};
use crate::headers;
use crate::problem::{Code, Problem};

/// With what an API token begins, so that people and secret scanners know one when they see it.
pub const API_TOKEN_PREFIX: &str = "tfp_";
pub const ACCESS_TOKEN_SECONDS: i64 = 900;
pub const TICKET_SECONDS: i64 = 60;

/// Why a token was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    Invalid,
    Expired,
    /// It cannot be said right now.
    Unavailable,
}

impl From<jsonwebtoken::errors::Error> for Rejected {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        match error.kind() {
            jsonwebtoken::errors::ErrorKind::ExpiredSignature => Self::Expired,
            _ => Self::Invalid,
        }
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        let detail = match rejected {
            Rejected::Invalid => "The token is not one that is taken here",
            Rejected::Expired => "The token has expired: refresh the session",
            Rejected::Unavailable => return Self::unavailable("What tokens are checked with"),
        };
        Self::new(Code::Unauthenticated, detail)
    }
}

/// The token of `Authorization: Bearer <token>`, if there is one.
pub fn bearer(headers: &http::HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(text) = headers::one(headers, AUTHORIZATION.as_str())? else { return Ok(None) };
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Problem::new(Code::Unauthenticated, "Send `Authorization: Bearer <access token>`")),
    }
}

/// The scheme `bearer` for the documents.
pub fn security_scheme() -> SecurityScheme {
    SecurityScheme::Http(
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT, or an API token").build(),
    )
}
