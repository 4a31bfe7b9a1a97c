//! A project: its columns, labels and members, and what its roles permit.

/// The thin adapter that lets cqrs-es fold, test and load it.
mod aggregate;
/// Check that an event follows from the state before it.
mod chain;
/// What may be asked.
pub mod commands;
/// What may be decided: a pure function from state and command to events or a refusal.
mod decide;
/// What has happened.
pub mod events;
/// How much memory a project takes.
mod size;
/// What a project is.
mod state;

pub use aggregate::Asked;
pub use commands::ProjectCommand;
pub use decide::{Context, decide};
pub use events::ProjectEvent;
pub use state::{Board, Category, Column, Label, Member, Project, SavedFilter, TeamGrant, Watcher, WipPolicy};

/// The names of the commands that somebody in this role may send now, without `project.`: for a client's buttons. That of
/// making tasks is with them.
pub fn allowed(role: crate::Role, archived: bool) -> Vec<&'static str> {
    const WHEN_ARCHIVED: [&str; 5] = ["restore", "remove_member", "remove_team", "watch", "unwatch"];
    let creating = ("task.create", crate::Role::Member);
    ProjectCommand::TABLE
        .iter()
        .chain([&creating])
        .filter(|(name, needs)| role >= *needs && *name != "project.create" && *name != "project.join")
        .map(|(name, _)| name.strip_prefix("project.").unwrap_or("create_task"))
        .filter(|name| if archived { WHEN_ARCHIVED.contains(name) } else { *name != "restore" })
        .collect()
}

/// `aggregate_type` in the log.
pub const TYPE: &str = "project";
