//! The program `taskfold`: roles, settings, connections, supervision, and the embedded servers.

/// Management of accounts by operators.
pub mod accounts;
/// Store of the attachments' bytes.
pub mod attachments;
/// Output to the terminal.
pub mod banner;
/// Flags and environment.
pub mod config;
/// Connections to PostgreSQL and NATS.
pub mod connections;
/// Logins of PostgreSQL.
pub mod databases;
/// Liveness, readiness, metrics.
pub mod health;
/// Tokens other than those of sessions: API tokens and those of an external issuer.
pub mod identity;
/// Signing keys of access tokens.
pub mod keys;
/// Signals, and components that run and end together.
pub mod lifecycle;
/// Schema of the database.
pub mod migrate;
/// Restarts of an embedded nats-server that accepts no more messages.
mod nats_restart;
/// Settings, connections and health of a process.
pub mod program;
/// Subcommands, one file each.
pub mod roles;
/// HTTP server.
pub mod server;
/// Choice of PostgreSQL and NATS servers.
pub mod servers;
/// Logs and metrics.
pub mod telemetry;
