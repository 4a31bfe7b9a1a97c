//! The tables that the append keeps beside the log, and decides on: `aggregate_heads`, `task_places`, `task_links`, `due_schedule` and `commands`. What the log comes
//! to in them, where they differ from it, and making them again.

/// Differences between the tables and the log.
mod differences;
/// Folding of the log into the rows that the append keeps.
mod fold;
/// Heads of aggregates.
mod heads;
/// Search for aggregates that lack rows.
mod incomplete;
/// Repair of rows.
mod repair;

pub use differences::{commands, strangers, tasks};
pub use fold::{Break, Folded, Sink, fold};
pub use heads::heads;
pub use incomplete::incomplete;
pub use repair::{Repaired, repair};
