//! Events of a task. Their payloads are what callers see as `changes` and what the log keeps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::lifecycle::Status;
use super::values::{
    Attachment, Checklist, ChecklistTitle, Comment, CommentBody, DueStage, PlacedItem, Priority, Reaction,
};
use crate::Timestamp;
use crate::delta::{Added, Delta, Removed};
use crate::events::events;
use crate::ids::{ColumnId, LabelId, ProjectId, TaskId, UserId};
use crate::merge::{Touch, Touches, field, member, members};
use crate::rank::Rank;
use crate::watching::{Unwatched, Watched};

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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskCreated)]
pub struct Created {
    pub project_id: Added<ProjectId>,
    #[serde(serialize_with = "crate::words::serialize")]
    pub title: Added<String>,
    #[serde(serialize_with = "crate::words::serialize")]
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
    #[serde(serialize_with = "crate::words::serialize")]
    pub title: Delta<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskDescribed)]
pub struct Described {
    #[serde(serialize_with = "crate::words::serialize")]
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

/// A step in the lifecycle. `running_since` and `elapsed_ms` are present when the step starts or ends a running
/// interval, `reason` when one was given or removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskLifecycle)]
pub struct Lifecycle {
    pub status: Delta<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Delta<Option<Timestamp>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<Delta<u64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(serialize_with = "crate::words::serialize")]
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
pub struct ChecklistRenamed {
    pub checklist: Delta<ChecklistTitle>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChecklistRemoved {
    pub checklist: Removed<Checklist>,
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

/// A due time came near, or has passed. The actor is nobody: the id of zeros.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskDueReached)]
pub struct DueReached {
    pub due_stage: Delta<Option<DueStage>>,
}

impl Touches for TaskEvent {
    fn touches(&self) -> Vec<Touch> {
        match self {
            Self::Created(_) => field("id"),
            Self::Renamed(_) => field("title"),
            Self::Described(_) => field("description"),
            Self::Moved(_) => field("column_id"),
            Self::Assigned(e) | Self::Unassigned(e) => {
                members("assignee_ids", &e.assignee_ids.from, &e.assignee_ids.to)
            }
            Self::Labeled(e) | Self::Unlabeled(e) => members("label_ids", &e.label_ids.from, &e.label_ids.to),
            Self::Prioritized(_) => field("priority"),
            Self::Scheduled(e) => {
                let start = e.start_at.as_ref().map(|_| Touch { field: "start_at", member: None });
                let due = e.due_at.as_ref().map(|_| Touch { field: "due_at", member: None });
                start.into_iter().chain(due).collect()
            }
            Self::Estimated(_) => field("estimate_minutes"),
            Self::Started(_)
            | Self::Paused(_)
            | Self::Resumed(_)
            | Self::Completed(_)
            | Self::Cancelled(_)
            | Self::Failed(_)
            | Self::Reopened(_) => field("status"),
            Self::Progressed(_) => field("progress"),
            Self::Archived(_) | Self::Unarchived(_) => field("archived"),
            Self::Deleted(_) | Self::Restored(_) => field("deleted"),
            Self::Commented(_) | Self::CommentEdited(_) | Self::CommentRemoved(_) => vec![],
            Self::AttachmentAdded(_) | Self::AttachmentRemoved(_) => vec![],
            Self::ChecklistAdded(e) => member("checklists", e.checklist.to.id.0),
            Self::ChecklistRenamed(e) => member("checklists", e.checklist.to.id.0),
            Self::ChecklistRemoved(e) => member("checklists", e.checklist.from.id.0),
            Self::ChecklistItemAdded(e) => member("checklists", e.item.to.item.id.0),
            Self::ChecklistItemChanged(e) => member("checklists", e.item.to.item.id.0),
            Self::ChecklistItemRemoved(e) => member("checklists", e.item.from.item.id.0),
            Self::Reparented(_) => field("parent_id"),
            Self::DependencyAdded(e) | Self::DependencyRemoved(e) => {
                members("dependency_ids", &e.dependency_ids.from, &e.dependency_ids.to)
            }
            Self::ReactionAdded(_)
            | Self::ReactionRemoved(_)
            | Self::Watched(_)
            | Self::Unwatched(_)
            | Self::DueSoon(_)
            | Self::Overdue(_) => vec![],
        }
    }
}
