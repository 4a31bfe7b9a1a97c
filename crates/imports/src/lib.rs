//! Imports: boards of other programs, replayed as commands with their own times and authors.

/// Accounts for the people of a board, who cannot sign in.
mod people;
/// One import from its upload to its end.
mod run;
/// Sending one command of an import.
mod send;
/// What an import counts but cannot take over.
pub mod skipped;
/// Imports in the database.
pub mod store;
/// Trello boards.
pub mod trello;
/// The loop that works on imports, one at a time.
pub mod worker;
