//! What may happen in Taskfold, and the words callers see it in.
//!
//! Pure: no HTTP, SQL, NATS, clock or randomness. Time, ids and ranks come in with the command.

/// Who has which role in a project.
pub mod access;
/// Changes as callers see them: the published language of the log.
pub mod change;
/// A value before and after.
pub mod delta;
/// The macros that name an aggregate's events and commands once.
mod events;
/// Typed ids.
pub mod ids;
/// Texts and numbers a command may carry, checked when they are read.
pub mod input;
/// Which changes touch the same thing, for merging edits made at the same time.
pub mod merge;
/// What people should hear of.
pub mod notification;
/// Merge-patch fields: absent, null, value.
pub mod patch;
/// Versions that commands are based on.
pub mod precondition;
/// The Project aggregate: columns, labels, members.
pub mod project;
/// Places between places.
pub mod rank;
/// Why a command was refused.
pub mod refusal;
/// What a member of a project may do.
pub mod role;
/// The Task aggregate: one card and all that hangs on it.
pub mod task;
/// The Team aggregate: people who are given roles in projects together.
pub mod team;
/// UTC times, as PostgreSQL keeps them.
pub mod timestamp;

pub use access::Access;
pub use change::{Change, Event, Subject, SubjectKind};
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
