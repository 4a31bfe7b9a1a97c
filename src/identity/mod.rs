//! Tokens other than those of sessions: API tokens and those of an external issuer. Both need a database or a server,
//! so the program provides them to the APIs.

/// Accounts for the subjects of an external issuer.
mod accounts;
/// API tokens, cached for two seconds.
mod api_tokens;
/// Public keys of an external issuer.
mod key_set;
/// An external OIDC issuer.
mod oidc;

pub use api_tokens::StoredTokens;
pub use oidc::Issuer;
