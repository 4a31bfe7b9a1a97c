//! References to what is gone: a command that names something that was removed has lost a race, and is no invalid form.

use uuid::Uuid;

use crate::Timestamp;
use crate::ids::UserId;

/// Kind of thing that a command may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceKind {
    Column,
    Label,
    Member,
    Task,
}

impl ReferenceKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Column => "column",
            Self::Label => "label",
            Self::Member => "member",
            Self::Task => "task",
        }
    }
}

/// A reference of a command to something that was there before.
#[derive(Clone, Debug, PartialEq)]
pub struct GoneReference {
    /// JSON pointer (RFC 6901) to the reference.
    pub pointer: String,
    pub kind: ReferenceKind,
    pub id: Uuid,
    pub removal: Removal,
}

/// Removal of something that commands may name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Removal {
    /// By the event of this version of the project.
    AtVersion(u64),
    /// By this person at this time.
    By(UserId, Timestamp),
}
