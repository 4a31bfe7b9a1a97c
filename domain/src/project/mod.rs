//! A project: its columns, labels and members, and what its roles permit.

/// The thin adapter that lets cqrs-es fold, test and load it.
mod aggregate;
/// What may be asked.
pub mod commands;
/// What may be decided: a pure function from state and command to events or a refusal.
mod decide;
/// What has happened.
pub mod events;
/// What a project is.
mod state;

pub use aggregate::Asked;
pub use commands::ProjectCommand;
pub use decide::{Context, decide};
pub use events::ProjectEvent;
pub use state::{Board, Category, Column, Label, Member, Project, SavedFilter, TeamGrant, Watcher, WipPolicy};

/// `aggregate_type` in the log.
pub const TYPE: &str = "project";
