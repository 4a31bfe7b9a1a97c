//! Projects: columns, labels, members and teams, and what their roles permit.

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
/// Memory that a project takes.
mod size;
/// State, folded from events.
mod state;
/// Values that events and state are made of.
pub(crate) mod values;
/// Withdrawals of authority.
mod withdrawal;

pub use commands::ProjectCommand;
pub use decide::{Context, Invitation, decide, may_invite, needed_for};
pub use events::ProjectEvent;
pub use fields::Fields;
pub use state::{Board, Project};
pub use values::{Category, Column, Label, Member, SavedFilter, TeamGrant, WipPolicy};

/// Names of the commands that somebody in this role may send now, without `project.`: for a client's buttons. Creating
/// tasks is among them.
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
