//! The program `taskfold`: roles, settings, connections, supervision, and the servers it can bring along.

/// Where the bytes of attachments go.
pub mod attachments;
/// What a person reads in the terminal.
pub mod banner;
/// Flags and environment.
pub mod config;
/// To PostgreSQL and NATS.
pub mod connections;
/// Logins of the parts in PostgreSQL.
pub mod databases;
/// Liveness, readiness, metrics.
pub mod health;
/// Tokens that are not a session's: API tokens and those of an outside issuer.
pub mod identity;
/// Signing keys of access tokens.
pub mod keys;
/// Signals, and parts that live and end together.
pub mod lifecycle;
/// The schema.
pub mod migrate;
/// Restarts of an embedded nats-server that stops taking messages.
mod nats_restart;
/// What every role has in hand.
pub mod program;
/// One file a subcommand.
pub mod roles;
/// Accepting connections.
pub mod server;
/// Whose PostgreSQL and NATS.
pub mod servers;
/// Logs and metrics.
pub mod telemetry;
