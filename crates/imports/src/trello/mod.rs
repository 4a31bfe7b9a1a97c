//! Trello boards: reads the JSON export and decides on commands. Pure: no database, clock or network.

/// Actions of the history.
pub mod action;
/// Guesses of a column's category from the name of a list.
pub mod category;
/// The file: the current board, its people and its actions.
pub mod export;
/// Texts and times, made to fit our limits.
pub mod fit;
/// Estimate of the memory of a parsed document.
mod footprint;
/// Ids for the things of a board, the same in every import.
pub mod ids;
/// The import of one export, behind the traits of a source.
mod import;
/// The bytes of an upload, as JSON.
pub mod parse;
/// The history as commands.
pub mod plan;
/// Differences between the project and the board of the export, as commands.
pub mod reconcile;
/// The board as an export shows it, in the form that is stored for the next import.
pub mod snapshot;
/// The history walked backwards.
pub mod undo;

/// Boards that were exported from Trello as JSON.
#[derive(Clone, Copy, Debug)]
pub struct Trello;
