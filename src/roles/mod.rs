//! One file a role: what is put together, in which order, for each subcommand.

/// Going on with a log that was restored.
pub mod adopt;
/// Everything in one process on one port.
pub mod all;
/// Commands only.
pub mod command_api;
/// A client, not a server: sends an export of another program.
pub mod import;
/// The schema.
pub mod migrate;
/// The API documents.
pub mod openapi;
/// Read tables and the stream.
pub mod projector;
/// Reads and live streams only.
pub mod query_api;
/// Read tables anew.
pub mod rebuild;
/// `taskfold retry`: projecting dead letters again.
pub mod retry;
/// Whether all agrees.
pub mod verify;
