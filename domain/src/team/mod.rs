//! Teams: people who are given roles in projects together.

/// Check that an event follows from the state before it.
mod chain;
/// Commands.
pub mod commands;
/// Decisions: a pure function from state and command to events or a refusal.
mod decide;
/// Events.
pub mod events;
/// Fields, and what events do to them.
mod fields;
/// State, folded from events.
mod state;
/// Values that events and state are made of.
mod values;

pub use commands::TeamCommand;
pub use decide::{Context, decide};
pub use events::TeamEvent;
pub use fields::Fields;
pub use state::{Team, TeamMembers};
pub use values::{TeamMember, TeamRole};

/// `aggregate_type` in the log.
pub const TYPE: &str = "team";
