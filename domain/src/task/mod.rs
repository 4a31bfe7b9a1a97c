//! Tasks: fields, lifecycle, comments, files, checklists, links.

/// Commands that may be sent now, by role.
mod allowed;
/// Aspects that events change.
mod aspect;
/// Check that an event follows from the state before it.
mod chain;
/// Commands.
pub mod commands;
/// Decisions: a pure function from state and command to events or a refusal.
mod decide;
/// Events.
pub mod events;
/// Facts that decisions require.
mod facts;
/// Fields, and what events do to them.
mod fields;
/// Filters of a project's tasks.
mod filter;
/// Statuses, and the steps between them.
mod lifecycle;
/// State that the append keeps in side tables.
pub mod side_tables;
/// Memory that a task takes.
mod size;
/// State, folded from events.
mod state;
/// Values that events and state are made of.
mod values;
/// People who are notified.
mod watching;

pub use allowed::{Standing, allowed};
pub use aspect::{Aspect, AttachmentChange, CommentChange};
pub use commands::TaskCommand;
pub use decide::{Context, Origin, decide};
pub use events::TaskEvent;
pub use fields::Fields;
pub use filter::Filter;
pub use lifecycle::{Action, Status};
pub use state::{Card, CommentDigest, Situation, Task};
pub use values::{
    Attachment, Checklist, ChecklistTitle, Comment, CommentBody, DueStage, Item, PlacedItem, Priority, Reaction,
};
pub use watching::Watchers;

/// `aggregate_type` in the log.
pub const TYPE: &str = "task";
