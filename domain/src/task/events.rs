//! What has happened to a task. The payloads are what callers see as `changes` and what the log keeps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::lifecycle::Status;
use super::state::{Attachment, Checklist, Comment, Item, Reaction};
use crate::Timestamp;
use crate::delta::{Added, Delta, Removed};
use crate::events::events;
use crate::ids::{ChecklistId, ColumnId, CommentId, ItemId, LabelId, ProjectId, TaskId, UserId};
use crate::project::events::{Unwatched, Watched};
use crate::rank::Rank;

events! {
    /// An event of a task.
    TaskEvent {
        "task.created" v "1" => Created(Box<Created>),
        "task.renamed" v "1" => Renamed(Renamed),
        "task.described" v "1" => Described(Described),
        "task.moved" v "1" => Moved(Moved),
        "task.assigned" v "1" => Assigned(Assignees),
        "task.unassigned" v "1" => Unassigned(Assignees),
        "task.labeled" v "1" => Labeled(Labels),
        "task.unlabeled" v "1" => Unlabeled(Labels),
        "task.prioritized" v "1" => Prioritized(Prioritized),
        "task.scheduled" v "1" => Scheduled(Scheduled),
        "task.estimated" v "1" => Estimated(Estimated),
        "task.started" v "1" => Started(Lifecycle),
        "task.paused" v "1" => Paused(Lifecycle),
        "task.resumed" v "1" => Resumed(Lifecycle),
        "task.completed" v "1" => Completed(Lifecycle),
        "task.cancelled" v "1" => Cancelled(Lifecycle),
        "task.failed" v "1" => Failed(Lifecycle),
        "task.progressed" v "1" => Progressed(Progressed),
        "task.reopened" v "1" => Reopened(Lifecycle),
        "task.archived" v "1" => Archived(Archived),
        "task.unarchived" v "1" => Unarchived(Archived),
        "task.deleted" v "1" => Deleted(Deletion),
        "task.restored" v "1" => Restored(Deletion),
        "task.commented" v "1" => Commented(CommentAdded),
        "task.comment_edited" v "1" => CommentEdited(CommentEdited),
        "task.comment_removed" v "1" => CommentRemoved(CommentRemoved),
        "task.attachment_added" v "1" => AttachmentAdded(AttachmentAdded),
        "task.attachment_removed" v "1" => AttachmentRemoved(AttachmentRemoved),
        "task.checklist_added" v "1" => ChecklistAdded(ChecklistAdded),
        "task.checklist_renamed" v "1" => ChecklistRenamed(ChecklistRenamed),
        "task.checklist_removed" v "1" => ChecklistRemoved(ChecklistRemoved),
        "task.checklist_item_added" v "1" => ChecklistItemAdded(ItemAdded),
        "task.checklist_item_changed" v "1" => ChecklistItemChanged(ItemChanged),
        "task.checklist_item_removed" v "1" => ChecklistItemRemoved(ItemRemoved),
        "task.reparented" v "1" => Reparented(Reparented),
        "task.dependency_added" v "1" => DependencyAdded(Dependencies),
        "task.dependency_removed" v "1" => DependencyRemoved(Dependencies),
        "task.reaction_added" v "1" => ReactionAdded(ReactionAdded),
        "task.reaction_removed" v "1" => ReactionRemoved(ReactionRemoved),
        "task.watched" v "1" => Watched(Watched),
        "task.unwatched" v "1" => Unwatched(Unwatched),
        "task.due_soon" v "1" => DueSoon(DueReached),
        "task.overdue" v "1" => Overdue(DueReached),
    }
}

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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskCreated)]
pub struct Created {
    pub project_id: Added<ProjectId>,
    pub title: Added<String>,
    pub description: Added<String>,
    pub status: Added<Status>,
    pub column_id: Added<ColumnId>,
    pub rank: Added<Rank>,
    pub priority: Added<Priority>,
    pub assignee_ids: Added<Vec<UserId>>,
    pub label_ids: Added<Vec<LabelId>>,
    pub start_at: Added<Option<Timestamp>>,
    pub due_at: Added<Option<Timestamp>>,
    pub estimate_minutes: Added<Option<u32>>,
    pub parent_id: Added<Option<TaskId>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskRenamed)]
pub struct Renamed {
    pub title: Delta<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskDescribed)]
pub struct Described {
    pub description: Delta<String>,
}

/// `column_id` is left out when the task stays in its column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskMoved)]
pub struct Moved {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column_id: Option<Delta<ColumnId>>,
    pub rank: Delta<Rank>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskAssignees)]
pub struct Assignees {
    pub assignee_ids: Delta<Vec<UserId>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskLabels)]
pub struct Labels {
    pub label_ids: Delta<Vec<LabelId>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskPrioritized)]
pub struct Prioritized {
    pub priority: Delta<Priority>,
}

/// At least one of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskScheduled)]
pub struct Scheduled {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Delta<Option<Timestamp>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Delta<Option<Timestamp>>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskEstimated)]
pub struct Estimated {
    pub estimate_minutes: Delta<Option<u32>>,
}

/// A step in the lifecycle. `running_since` and `elapsed_ms` are there when the step starts or ends a running
/// interval, `reason` when one was given or taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskLifecycle)]
pub struct Lifecycle {
    pub status: Delta<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Delta<Option<Timestamp>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<Delta<u64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Delta<Option<String>>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskProgressed)]
pub struct Progressed {
    pub progress: Delta<Option<u32>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskArchived)]
pub struct Archived {
    pub archived: Delta<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskDeletion)]
pub struct Deletion {
    pub deleted: Delta<bool>,
    pub deleted_at: Delta<Option<Timestamp>>,
    pub deleted_by: Delta<Option<UserId>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommentAdded {
    pub comment: Added<Comment>,
}

/// The part of a comment that an edit changes, and the id that says which comment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommentBody {
    pub id: CommentId,
    pub text: String,
    pub mentions: Vec<UserId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommentEdited {
    pub comment: Delta<CommentBody>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommentRemoved {
    pub comment: Removed<Comment>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttachmentAdded {
    pub attachment: Added<Attachment>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttachmentRemoved {
    pub attachment: Removed<Attachment>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChecklistAdded {
    pub checklist: Added<Checklist>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChecklistTitle {
    pub id: ChecklistId,
    pub title: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChecklistRenamed {
    pub checklist: Delta<ChecklistTitle>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChecklistRemoved {
    pub checklist: Removed<Checklist>,
}

/// An item and the checklist it stands in; `after` is the item before it, null when it is the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlacedItem {
    pub checklist_id: ChecklistId,
    #[serde(flatten)]
    pub item: Item,
    pub after: Option<ItemId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ItemAdded {
    pub item: Added<PlacedItem>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ItemChanged {
    pub item: Delta<PlacedItem>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ItemRemoved {
    pub item: Removed<PlacedItem>,
}

/// `to` is the task that this one is a part of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskReparented)]
pub struct Reparented {
    pub parent_id: Delta<Option<TaskId>>,
}

/// The tasks that this one waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskDependencies)]
pub struct Dependencies {
    pub dependency_ids: Delta<Vec<TaskId>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReactionAdded {
    pub reaction: Added<Reaction>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReactionRemoved {
    pub reaction: Removed<Reaction>,
}

/// What the clock has said of a due time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DueStage {
    /// Within a day.
    DueSoon,
    /// Past.
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

/// A due time came near, or has passed. Its actor is nobody: the id of zeros.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskDueReached)]
pub struct DueReached {
    pub due_stage: Delta<Option<DueStage>>,
}
