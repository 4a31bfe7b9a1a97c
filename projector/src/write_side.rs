//! The tables that the append keeps beside the log, and decides on: `task_places`, `task_links`, `due_schedule` and `commands`. What the log comes
//! to in them, where they differ from it, and making them again.

/// Where the tables differ from the log.
mod differences;
/// What the log comes to.
mod fold;
/// Which aggregates lack rows.
mod incomplete;
/// Making rows again.
mod mend;

pub use differences::{commands, strangers, tasks};
pub use fold::{Break, Folded, Sink, fold};
pub use incomplete::incomplete;
pub use mend::{Mended, mend};
