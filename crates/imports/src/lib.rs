//! Imports: boards of other programs, replayed as commands with their own times and authors.

/// Commands of an import: steps of the history, and corrections.
pub mod command;
/// Accounts of the people on a board, who cannot sign in.
mod people;
/// The run of one import, from its upload to its end.
mod run;
/// Sending of commands, with retries.
mod send;
/// Counts of everything that an import could not take over.
pub mod skipped;
/// The formats that can be imported, and the trait that each of them implements.
pub mod source;
/// Imports in the database.
pub mod store;
/// Trello boards.
pub mod trello;
/// The worker that runs imports, one at a time.
pub mod worker;
