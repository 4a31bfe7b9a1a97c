//! Business rules of Taskfold, and the language in which callers see what happens.
//!
//! Pure: no HTTP, SQL, NATS, clock or randomness. Time, ids and ranks come in with the command.

/// Roles of people in a project, their own and those of their teams.
pub mod access;
/// Kinds of aggregates, each named once.
pub mod aggregates;
/// Changes as callers see them: the published language of the log.
pub mod change;
/// Adapter to cqrs-es.
mod cqrs;
/// Things that events create.
mod creation;
/// Values before and after.
pub mod delta;
/// Payload of commands that carry nothing.
pub mod empty;
/// Macros that name an aggregate's events and commands once.
mod events;
/// Typed ids.
pub mod ids;
/// Texts and numbers of commands, checked when they are read.
pub mod input;
/// Limits that callers meet.
pub mod limits;
/// Changes that touch the same thing, for merging edits made at the same time.
pub mod merge;
/// Reasons for which people are notified.
pub mod notification;
/// Merge-patch fields: absent, null, value.
pub mod patch;
/// Versions that commands are based on.
pub mod precondition;
/// The Project aggregate: columns, labels, members.
pub mod project;
/// Positions in ordered lists, as text.
pub mod rank;
/// References to what is gone.
pub mod reference;
/// Reasons for which a command is refused.
pub mod refusal;
/// Roles of members in a project.
pub mod role;
/// The Task aggregate: fields, comments, files, checklists.
pub mod task;
/// The Team aggregate: people who are given roles in projects together.
pub mod team;
/// UTC times, as PostgreSQL keeps them.
pub mod timestamp;
/// Watching tasks and projects.
pub mod watching;

/// People's words, apart from structure.
pub mod words;

pub use access::{Access, TeamThen};
pub use aggregates::{Event, SubjectKind};
pub use change::{Change, Subject};
pub use cqrs::CommandWithContext;
pub use creation::Creation;
pub use delta::{Added, Delta, Removed};
pub use merge::Touch;
pub use notification::NotificationKind;
pub use precondition::Precondition;
pub use project::{Project, ProjectCommand, ProjectEvent};
pub use rank::Rank;
pub use refusal::{FieldError, Refusal};
pub use role::Role;
pub use task::{Task, TaskCommand, TaskEvent};
pub use team::{Team, TeamCommand, TeamEvent};
pub use timestamp::Timestamp;
