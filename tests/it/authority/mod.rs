//! Credentials carry no more than the authority behind them, and end with it.

/// Accounts: what people and operators change, and what ends with it.
mod accounts;
/// Claims of placeholders.
mod claims;
/// Invitations, against the authority of who made them.
mod invitations;
/// Roles and means of authentication, on all that grants or listens.
mod means;
/// Operations of the API, by the scope of a token.
mod scopes;
/// Sessions, and all that is made with them.
mod sessions;
