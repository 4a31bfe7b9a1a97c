//! Side tables of the append, which it decides on: `aggregate_heads`, `task_places`, `task_links`,
//! `due_schedule` and `commands`. Folds the log into them, compares and repairs them.

/// Differences between the tables and the log.
mod differences;
/// Fold of the log into the rows that the append keeps.
mod fold;
/// Heads of aggregates.
mod heads;
/// Search for aggregates that lack rows.
mod incomplete;
/// Repair of rows.
mod repair;

pub use differences::{commands, orphans, tasks};
pub use fold::{Break, Folded, Sink, fold};
pub use heads::heads;
pub use incomplete::incomplete;
pub use repair::{Repaired, repair};
