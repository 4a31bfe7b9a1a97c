//! A team: people who are given roles in projects together.

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
/// What a team is.
mod state;

pub use aggregate::Asked;
pub use commands::TeamCommand;
pub use decide::{Context, decide};
pub use events::TeamEvent;
pub use state::{Roster, Team, TeamMember, TeamRole};

/// `aggregate_type` in the log.
pub const TYPE: &str = "team";
