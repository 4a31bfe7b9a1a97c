//! The whole system through its doors: real PostgreSQL, real nats-server, real HTTP.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so")]

/// Starting the system, and people who use it.
mod harness;

/// Who may depend on whom.
mod architecture;
/// Files on tasks.
mod attachments;
/// Wrong requests, at every route.
mod bad_input;
/// Commands and what they answer.
mod commands;
/// Killing every process under load.
mod crashes;
/// The events' JSON, for good.
mod frozen;
/// Boards of other programs.
mod imports;
/// The append, from several processes at once.
mod log;
/// The OpenAPI files are those of the code.
mod openapi;
/// Read tables, checkpoint, poison, takeover.
mod projector;
/// REST reads.
mod reads;
/// Accounts, sessions and tokens.
mod sessions;
/// Live streams.
mod streams;
/// Planted faults are found.
mod verify;
