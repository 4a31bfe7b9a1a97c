//! Subcommands, one file each: the components that they need, and their order.

/// `taskfold accounts`.
pub mod accounts;
/// `taskfold adopt`.
pub mod adopt;
/// `taskfold` with all roles.
pub mod all;
/// `taskfold command-api`.
pub mod command_api;
/// `taskfold import`, which is a client.
pub mod import;
/// `taskfold keys`.
pub mod keys;
/// `taskfold migrate`.
pub mod migrate;
/// `taskfold openapi`.
pub mod openapi;
/// `taskfold projector`.
pub mod projector;
/// `taskfold query-api`.
pub mod query_api;
/// `taskfold rebuild`.
pub mod rebuild;
/// `taskfold retry`.
pub mod retry;
/// `taskfold verify`.
pub mod verify;
