//! Tokens that are not a session's. Both need something outside of the process, so the program brings them to the APIs.

/// Accounts for the subjects of an outside issuer.
mod accounts;
/// API tokens, by one look into the database every two seconds.
mod api_tokens;
/// An outside issuer's public keys.
mod key_set;
/// An outside OIDC issuer.
mod oidc;

pub use api_tokens::StoredTokens;
pub use oidc::Issuer;
