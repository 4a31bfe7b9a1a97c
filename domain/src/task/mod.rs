//! One card and all that hangs on it.

/// The thin adapter that lets cqrs-es fold, test and load it.
mod aggregate;
/// What may be asked of a task as it stands, by whom.
mod allowed;
/// State that the append keeps of a task beside its events.
pub mod beside;
/// Check that an event follows from the state before it.
mod chain;
/// What may be asked.
pub mod commands;
/// What may be decided: a pure function from state and command to events or a refusal.
mod decide;
/// What has happened.
pub mod events;
/// Which tasks of a project.
mod filter;
/// Which statuses follow which.
mod lifecycle;
/// How much memory a task takes.
mod size;
/// What a task is.
mod state;

pub use aggregate::Asked;
pub use allowed::{Standing, allowed};
pub use commands::TaskCommand;
pub use decide::{Context, Origin, decide};
pub use events::TaskEvent;
pub use filter::Filter;
pub use lifecycle::{Action, Status};
pub use state::{Attachment, Card, Checklist, Comment, Item, KeptComment, Situation, Task, place_item, take_item};

/// `aggregate_type` in the log.
pub const TYPE: &str = "task";
