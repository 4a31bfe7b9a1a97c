//! Side tables that commands are decided on: `aggregate_heads`, `task_places`, `task_links`, `due_schedule` and
//! `commands` of the append, and `attachment_files` of quotas. Folds the log into them, compares and repairs them.

/// Differences between the tables and the log.
mod differences;
/// Attachments that count against quotas.
mod files;
/// Fold of the log into the rows that the append keeps.
mod fold;
/// Heads of aggregates.
mod heads;
/// Search for aggregates that lack rows.
mod incomplete;
/// Repair of rows.
mod repair;

pub use differences::{commands, orphans, tasks};
pub use files::files;
pub use fold::{Break, Folded, Sink, fold};
pub use heads::heads;
pub use incomplete::incomplete;
pub use repair::{Repaired, repair};
