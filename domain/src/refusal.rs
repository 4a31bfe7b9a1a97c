//! Refusals: reasons for which a command is refused, by meaning. The API crates map each to its status and code.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Timestamp;
use crate::ids::UserId;
use crate::reference::{GoneReference, ReferenceKind, Removal};
use crate::role::Role;
use crate::task::{Action, Status};

/// One thing wrong with a request, found by a JSON pointer (RFC 6901) into its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    #[schema(example = "/title")]
    pub pointer: String,
    #[schema(example = "must have 1 to 500 characters")]
    pub detail: String,
}

impl FieldError {
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It does not exist, or the caller may not know of it.
    #[error("not found")]
    NotFound,
    #[error("this needs the role {}", .needs.as_str())]
    Forbidden { needs: Role },
    #[error("this needs to be an owner of the team")]
    TeamOwnersOnly,
    #[error("only an owner may make owners, or change one")]
    OwnersOnly,
    /// They come back only by accepting an invitation.
    #[error("they have left the project on their own: invite them")]
    HasLeft,
    #[error("only its author may edit a comment")]
    NotTheAuthor,
    #[error("the project is archived")]
    ProjectArchived,
    #[error("it exists already")]
    AlreadyExists,
    #[error("a task that is {} cannot do this", .status.as_str())]
    IllegalTransition { status: Status, allowed: Vec<Action> },
    #[error("the task is deleted")]
    TaskDeleted { by: UserId, at: Timestamp },
    #[error("the column holds as many tasks as it may")]
    WipLimitReached,
    /// Archived tasks are in it, too. Deleted ones do not count: they are restored to another column.
    #[error("the column still holds {on_board} tasks on the board and {archived} archived ones")]
    ColumnNotEmpty { on_board: u64, archived: u64 },
    /// It was there before: the command has lost a race.
    #[error("the {} that it names is gone", .0.kind.as_str())]
    ReferenceGone(Box<GoneReference>),
    #[error("somebody must stay its owner")]
    LastOwner,
    #[error("the tasks would wait for one another, or contain one another")]
    Cycle,
    #[error("the request does not fit")]
    Invalid(Vec<FieldError>),
}

impl Refusal {
    pub fn reference_gone(pointer: impl Into<String>, kind: ReferenceKind, id: Uuid, removal: Removal) -> Self {
        Self::ReferenceGone(Box::new(GoneReference { pointer: pointer.into(), kind, id, removal }))
    }

    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, detail)])
    }
}
