//! Values that the events and the state of a task are made of. They depend on neither.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{AttachmentId, ChecklistId, CommentId, ItemId, UserId};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    #[default]
    None,
    Low,
    Medium,
    High,
    Urgent,
}

impl Priority {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

/// Reminder that was given of a due time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DueStage {
    /// Due within a day.
    DueSoon,
    /// Due time has passed.
    Overdue,
}

impl DueStage {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DueSoon => "due_soon",
            Self::Overdue => "overdue",
        }
    }
}

/// Comment in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = LoggedComment)]
pub struct Comment {
    pub id: CommentId,
    pub author_id: UserId,
    #[serde(serialize_with = "crate::words::serialize")]
    pub text: String,
    /// Members named with `@username` in the text.
    pub mentions: Vec<UserId>,
}

/// File on a task in the log; its bytes are stored elsewhere under its id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = LoggedAttachment)]
pub struct Attachment {
    pub id: AttachmentId,
    pub author_id: UserId,
    #[schema(example = "notes.pdf")]
    #[serde(serialize_with = "crate::words::serialize")]
    pub file_name: String,
    #[schema(example = "application/pdf")]
    pub content_type: String,
    /// Size in bytes.
    pub size: u64,
    /// Digest of the bytes in lower-case hexadecimal.
    pub sha256: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Checklist {
    pub id: ChecklistId,
    #[serde(serialize_with = "crate::words::serialize")]
    pub title: String,
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Item {
    pub id: ItemId,
    #[serde(serialize_with = "crate::words::serialize")]
    pub text: String,
    pub done: bool,
}

/// Part of a comment that an edit changes, with the id of the comment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommentBody {
    pub id: CommentId,
    #[serde(serialize_with = "crate::words::serialize")]
    pub text: String,
    pub mentions: Vec<UserId>,
}

/// Reaction of one person to a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    pub comment_id: CommentId,
    pub user_id: UserId,
    #[schema(example = "\u{1f44d}")]
    pub emoji: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChecklistTitle {
    pub id: ChecklistId,
    #[serde(serialize_with = "crate::words::serialize")]
    pub title: String,
}

/// An item in its checklist; `after` is the item before it, null when it is the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlacedItem {
    pub checklist_id: ChecklistId,
    #[serde(flatten)]
    pub item: Item,
    pub after: Option<ItemId>,
}
