//! Reading a Trello board's JSON export and turning it into commands. Pure: no database, clock or network.

/// One action of the history, read tolerantly.
pub mod action;
/// Which kind of work a list holds, guessed from its name.
pub mod category;
/// The file: the board as it is now, its people and its actions.
pub mod export;
/// Texts made to fit our limits, and every shortening counted.
pub mod fit;
/// Ids of ours for things of the source: the same each time.
pub mod ids;
/// The upload's bytes as JSON.
pub mod parse;
/// From the history to commands in their order.
pub mod plan;
/// From differences between the project and the export's board to commands.
pub mod reconcile;
/// The board as an export shows it, in the form kept for the next import.
pub mod snapshot;
/// The history walked backwards: what each action did, and how things stood before the first.
pub mod undo;
