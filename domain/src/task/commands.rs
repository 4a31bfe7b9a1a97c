//! Commands on a task. They are the request bodies too, so an unknown field is refused.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::values::{DueStage, Priority};
use crate::Timestamp;
use crate::empty::Empty;
use crate::events::commands;
use crate::ids::{AttachmentId, ChecklistId, ColumnId, CommentId, ItemId, LabelId, TaskId, UserId};
use crate::input::{
    CommentText, ContentType, Description, Emoji, FileName, FileSize, ItemText, Minutes, Name, Percent, Reason,
    Sha256Hex, Time, Title,
};
use crate::patch;
use crate::role::Role;

commands! {
    /// A command on one task, by its name in JSON.
    TaskCommand by Role {
        "task.create" Member => Create(Box<CreateTask>),
        "task.edit" Member => Edit(Box<EditTask>),
        "task.move" Member => Move(MoveTask),
        "task.assign" Member => Assign(Assignee),
        "task.unassign" Member => Unassign(Assignee),
        "task.label" Member => Label(TaskLabel),
        "task.unlabel" Member => Unlabel(TaskLabel),
        "task.start" Member => Start(Empty),
        "task.pause" Member => Pause(Empty),
        "task.resume" Member => Resume(Empty),
        "task.complete" Member => Complete(Empty),
        "task.cancel" Member => Cancel(WithReason),
        "task.fail" Member => Fail(WithReason),
        "task.reopen" Member => Reopen(Empty),
        "task.progress" Member => Progress(ProgressTask),
        "task.archive" Member => Archive(Empty),
        "task.unarchive" Member => Unarchive(Empty),
        "task.delete" Member => Delete(Empty),
        "task.restore" Member => Restore(Empty),
        "task.comment" Member => Comment(AddComment),
        "task.edit_comment" Member => EditComment(EditComment),
        "task.remove_comment" Member => RemoveComment(RemoveComment),
        // Created by an upload alone, which knows the bytes.
        "task.attach" Member => Attach(AttachFile),
        "task.remove_attachment" Member => RemoveAttachment(RemoveAttachment),
        "task.add_checklist" Member => AddChecklist(AddChecklist),
        "task.rename_checklist" Member => RenameChecklist(RenameChecklist),
        "task.remove_checklist" Member => RemoveChecklist(RemoveChecklist),
        "task.add_checklist_item" Member => AddChecklistItem(AddItem),
        "task.change_checklist_item" Member => ChangeChecklistItem(ChangeItem),
        "task.remove_checklist_item" Member => RemoveChecklistItem(RemoveItem),
        "task.watch" Viewer => Watch(Empty),
        "task.unwatch" Viewer => Unwatch(Empty),
        "task.react" Member => React(React),
        "task.unreact" Member => Unreact(React),
        "task.add_dependency" Member => AddDependency(Dependency),
        "task.remove_dependency" Member => RemoveDependency(Dependency),
        // Sent by the schedule of due times alone, whatever role a caller has.
        "task.remind" Owner => Remind(Remind),
    }
}

/// A new task. Without `column_id` it goes to the first column of the category `todo`, at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTask {
    /// The client's own id (a UUID), for optimistic creation; else the server makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TaskId>,
    #[schema(min_length = 1, max_length = 500, example = "Write the release notes")]
    pub title: Title,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column_id: Option<ColumnId>,
    /// Members of the project, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assignee_ids: Vec<UserId>,
    /// Labels of the project, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_ids: Vec<LabelId>,
    #[serde(default)]
    pub priority: Priority,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_minutes: Option<Minutes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<TaskId>,
    /// Start it at once, in the first column of the category `in_progress`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub run: bool,
}

impl CreateTask {
    /// A task with nothing but a title.
    pub fn new(title: Title) -> Self {
        Self {
            id: None,
            title,
            description: None,
            column_id: None,
            assignee_ids: Vec::new(),
            label_ids: Vec::new(),
            priority: Priority::default(),
            start_at: None,
            due_at: None,
            estimate_minutes: None,
            parent_id: None,
            run: false,
        }
    }
}

/// A merge patch (RFC 7396): absent fields stay, null clears.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditTask {
    #[serde(default, deserialize_with = "patch::not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 500)]
    pub title: Option<Title>,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<Description>>,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Priority>)]
    pub priority: Option<Option<Priority>>,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start_at: Option<Option<Time>>,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Option<Time>>,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i32>)]
    pub estimate_minutes: Option<Option<Minutes>>,
    /// Another task of the project; null makes it a task of its own.
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TaskId>)]
    pub parent_id: Option<Option<TaskId>>,
}

/// To a column, behind `after` (null: to the top) or before `before` (null: to the bottom). With neither, to the end of
/// the column; a task that is in it already keeps its rank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveTask {
    pub column_id: ColumnId,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TaskId>)]
    pub after: Option<Option<TaskId>>,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TaskId>)]
    pub before: Option<Option<TaskId>>,
}

impl MoveTask {
    /// The move to the same column, behind this task.
    pub fn behind(&self, task: TaskId) -> Self {
        Self { column_id: self.column_id, after: Some(Some(task)), before: None }
    }

    /// Returns whether the move is to a place beside another task, and not to the end of the column.
    pub fn names_neighbour(&self) -> bool {
        self.after.is_some() || self.before.is_some()
    }
}

impl TaskCommand {
    /// Returns whether the command may put a task into another place, so that the order matters in which several tasks
    /// get it.
    pub fn places(&self) -> bool {
        matches!(self, Self::Move(_) | Self::Start(_) | Self::Complete(_) | Self::Reopen(_) | Self::Restore(_))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assignee {
    pub user_id: UserId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskLabel {
    pub label_id: LabelId,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithReason {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub reason: Option<Reason>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgressTask {
    #[schema(value_type = i32, minimum = 0, maximum = 100)]
    pub percent: Percent,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddComment {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CommentId>,
    /// At most 16 KiB; `@username` of a member mentions them.
    pub text: CommentText,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditComment {
    pub comment_id: CommentId,
    pub text: CommentText,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveComment {
    pub comment_id: CommentId,
}

/// A file whose bytes are stored already. Only an upload sends this, after it has counted and hashed what it stored: a
/// caller could claim bytes that nobody has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachFile {
    /// Id under which the bytes are stored. Not part of the command's fingerprint: the same file sent again is stored
    /// under another id, and is the same command still.
    #[serde(skip_serializing)]
    pub id: AttachmentId,
    pub file_name: FileName,
    pub content_type: ContentType,
    pub size: FileSize,
    pub sha256: Sha256Hex,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveAttachment {
    pub attachment_id: AttachmentId,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddChecklist {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ChecklistId>,
    pub title: Name,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameChecklist {
    pub checklist_id: ChecklistId,
    pub title: Name,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveChecklist {
    pub checklist_id: ChecklistId,
}

/// A new item behind `after` (null: first); without `after`, last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddItem {
    pub checklist_id: ChecklistId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ItemId>,
    pub text: ItemText,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ItemId>)]
    pub after: Option<Option<ItemId>>,
}

/// A merge patch of one item; `after` moves it within its checklist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeItem {
    pub checklist_id: ChecklistId,
    pub item_id: ItemId,
    #[serde(default, deserialize_with = "patch::not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub text: Option<ItemText>,
    #[serde(default, deserialize_with = "patch::not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub done: Option<bool>,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ItemId>)]
    pub after: Option<Option<ItemId>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveItem {
    pub checklist_id: ChecklistId,
    pub item_id: ItemId,
}

/// A reaction to a comment, the caller's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct React {
    pub comment_id: CommentId,
    pub emoji: Emoji,
}

/// A task that this one waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    pub task_id: TaskId,
}

/// Reminder that a due time comes near, or has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remind {
    pub due_at: Timestamp,
    pub stage: DueStage,
}
