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
/// A private PostgreSQL and nats-server as children.
pub mod embedded;
/// No connection without a first request.
mod first_head;
/// Starting a server again that does not work.
mod healing;
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
/// No connection that has stopped taking its answer.
mod moving;
/// What every role has in hand.
pub mod program;
/// One file a subcommand.
pub mod roles;
/// Accepting connections.
pub mod server;
/// Whose PostgreSQL and NATS.
pub mod servers;
/// One port's routes.
pub mod site;
/// Logs and metrics.
pub mod telemetry;
