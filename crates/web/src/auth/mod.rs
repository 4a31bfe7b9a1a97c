//! Access tokens and stream tickets, and the caller that they identify. Our own tokens are EdDSA (RFC 8037): access
//! tokens for requests, and tickets for URLs of `EventSource`, which cannot send headers. API tokens, and tokens of an
//! external issuer, are verified by implementations that the program provides.

/// The caller of a request.
mod caller;
/// Claims of our own tokens.
mod claims;
/// Sessions that have ended, and accounts that are disabled.
mod ended_authority;
/// Headers of tokens.
pub mod jws;
/// Creation of tokens.
mod signer;
/// Verification of tokens.
mod verifier;

use http::header::AUTHORIZATION;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

pub use self::caller::{Caller, Means, ReadOnlyCaller};
pub use self::ended_authority::{AuthorityChange, EndedAuthority};
pub use self::signer::{KeyError, Signer};
pub use self::verifier::{ApiTokens, KeySource, OutsideIssuer, Ticket, TokenKey, Verifier};
use crate::headers;
use crate::problem::{Code, Problem};

/// Prefix of API tokens, by which people and secret scanners recognize them.
pub const API_TOKEN_PREFIX: &str = "tfp_";
/// The reason why a token was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    Invalid,
    Expired,
    /// The session has ended, or the account is disabled.
    Ended,
    /// The token cannot be verified at the moment.
    Unavailable,
}

impl Rejected {
    /// Name of the reason, for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid token",
            Self::Expired => "expired token",
            Self::Ended => "ended session or disabled account",
            Self::Unavailable => "token cannot be verified",
        }
    }
}

impl From<jsonwebtoken::errors::Error> for Rejected {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        let is_expired = matches!(error.kind(), jsonwebtoken::errors::ErrorKind::ExpiredSignature);
        if is_expired { Self::Expired } else { Self::Invalid }
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        let detail = match rejected {
            Rejected::Invalid => "The token is invalid",
            Rejected::Expired => "The token has expired: refresh the session",
            Rejected::Ended => "The session has ended: sign in again",
            Rejected::Unavailable => return Self::unavailable("Verification of tokens"),
        };
        Self::new(Code::Unauthenticated, detail)
    }
}

/// The token in `Authorization: Bearer <token>`, if any.
pub fn bearer(headers: &http::HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(text) = headers::one(headers, AUTHORIZATION.as_str())? else { return Ok(None) };
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        Some(_) | None => Err(Problem::new(Code::Unauthenticated, "Send `Authorization: Bearer <access token>`")),
    }
}

/// The security scheme `bearer`, for the documents.
pub fn security_scheme() -> SecurityScheme {
    SecurityScheme::Http(
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT, or an API token").build(),
    )
}
