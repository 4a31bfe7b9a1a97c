//! Tokens other than those of sessions: API tokens and those of an external issuer. Both need a database or a server,
//! so the program provides them to the APIs.

/// Accounts for the subjects of an external issuer.
mod accounts;
/// API tokens, cached for two seconds.
mod api_tokens;
/// Sessions that have ended, and accounts that are disabled.
mod ended_authority;
/// Public keys of an external issuer.
mod key_set;
/// An external OIDC issuer.
mod oidc;

pub use api_tokens::StoredTokens;
pub use ended_authority::EndedAuthorityReader;
pub use oidc::Issuer;
