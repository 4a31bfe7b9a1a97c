//! Aspects of a task that its events change: a fold that is about one of them need not know every event.

use super::events::{Created, Deletion, TaskEvent};
use super::lifecycle::Status;
use super::values::{Attachment, Comment, CommentBody, DueStage, Reaction};
use crate::creation::Creation;
use crate::delta::Delta;
use crate::ids::{CommentId, TaskId, UserId};
use crate::watching::WatcherChange;

/// Aspect of a task that an event changes, with what bears on more than the task's own fields. Whoever needs some
/// aspects matches on them: a new event about a known aspect changes nothing there, and a new aspect makes the compiler
/// ask.
#[derive(Clone, Copy, Debug)]
pub enum Aspect<'a> {
    Created(&'a Created),
    /// A field that stands for itself: title, dates, placement, labels, checklists.
    Field,
    Assignees(&'a Delta<Vec<UserId>>),
    /// New status.
    Status(Status),
    /// New parent.
    Parent(Option<TaskId>),
    Dependencies(&'a Delta<Vec<TaskId>>),
    Comment(CommentChange<'a>),
    Attachment(AttachmentChange<'a>),
    Watcher(WatcherChange),
    /// Reminder of the due time.
    DueStage(DueStage),
    Deletion(&'a Deletion),
}

#[derive(Clone, Copy, Debug)]
pub enum CommentChange<'a> {
    Added(&'a Comment),
    Edited(&'a Delta<CommentBody>),
    Removed(&'a Comment),
    ReactionAdded(&'a Reaction),
    ReactionRemoved(&'a Reaction),
}

impl CommentChange<'_> {
    pub fn comment_id(self) -> CommentId {
        match self {
            Self::Added(comment) | Self::Removed(comment) => comment.id,
            Self::Edited(body) => body.to.id,
            Self::ReactionAdded(reaction) | Self::ReactionRemoved(reaction) => reaction.comment_id,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum AttachmentChange<'a> {
    Added(&'a Attachment),
    Removed(&'a Attachment),
}

impl TaskEvent {
    pub fn aspect(&self) -> Aspect<'_> {
        match self {
            Self::Created(e) => Aspect::Created(e),
            Self::Renamed(_)
            | Self::Described(_)
            | Self::Moved(_)
            | Self::Labeled(_)
            | Self::Unlabeled(_)
            | Self::Prioritized(_)
            | Self::Scheduled(_)
            | Self::Estimated(_)
            | Self::Progressed(_)
            | Self::Archived(_)
            | Self::Unarchived(_)
            | Self::ChecklistAdded(_)
            | Self::ChecklistRenamed(_)
            | Self::ChecklistRemoved(_)
            | Self::ChecklistItemAdded(_)
            | Self::ChecklistItemChanged(_)
            | Self::ChecklistItemRemoved(_) => Aspect::Field,
            Self::Assigned(e) | Self::Unassigned(e) => Aspect::Assignees(&e.assignee_ids),
            Self::Started(e)
            | Self::Paused(e)
            | Self::Resumed(e)
            | Self::Completed(e)
            | Self::Cancelled(e)
            | Self::Failed(e)
            | Self::Reopened(e) => Aspect::Status(e.status.to),
            Self::Reparented(e) => Aspect::Parent(e.parent_id.to),
            Self::DependencyAdded(e) | Self::DependencyRemoved(e) => Aspect::Dependencies(&e.dependency_ids),
            Self::Commented(e) => Aspect::Comment(CommentChange::Added(&e.comment.to)),
            Self::CommentEdited(e) => Aspect::Comment(CommentChange::Edited(&e.comment)),
            Self::CommentRemoved(e) => Aspect::Comment(CommentChange::Removed(&e.comment.from)),
            Self::ReactionAdded(e) => Aspect::Comment(CommentChange::ReactionAdded(&e.reaction.to)),
            Self::ReactionRemoved(e) => Aspect::Comment(CommentChange::ReactionRemoved(&e.reaction.from)),
            Self::AttachmentAdded(e) => Aspect::Attachment(AttachmentChange::Added(&e.attachment.to)),
            Self::AttachmentRemoved(e) => Aspect::Attachment(AttachmentChange::Removed(&e.attachment.from)),
            Self::Watched(e) => Aspect::Watcher(WatcherChange::Added(e.watcher.to.user_id)),
            Self::Unwatched(e) => Aspect::Watcher(WatcherChange::Removed(e.watcher.from.user_id)),
            Self::DueSoon(_) => Aspect::DueStage(DueStage::DueSoon),
            Self::Overdue(_) => Aspect::DueStage(DueStage::Overdue),
            Self::Deleted(e) | Self::Restored(e) => Aspect::Deletion(e),
        }
    }
}

impl TaskEvent {
    /// Returns whether somebody may lose access to a project by the event: what happens to a task changes no role.
    pub fn ends_access(&self) -> bool {
        match self {
            Self::Created(_)
            | Self::Renamed(_)
            | Self::Described(_)
            | Self::Moved(_)
            | Self::Assigned(_)
            | Self::Unassigned(_)
            | Self::Labeled(_)
            | Self::Unlabeled(_)
            | Self::Prioritized(_)
            | Self::Scheduled(_)
            | Self::Estimated(_)
            | Self::Started(_)
            | Self::Paused(_)
            | Self::Resumed(_)
            | Self::Completed(_)
            | Self::Cancelled(_)
            | Self::Failed(_)
            | Self::Progressed(_)
            | Self::Reopened(_)
            | Self::Archived(_)
            | Self::Unarchived(_)
            | Self::Deleted(_)
            | Self::Restored(_)
            | Self::Commented(_)
            | Self::CommentEdited(_)
            | Self::CommentRemoved(_)
            | Self::AttachmentAdded(_)
            | Self::AttachmentRemoved(_)
            | Self::ChecklistAdded(_)
            | Self::ChecklistRenamed(_)
            | Self::ChecklistRemoved(_)
            | Self::ChecklistItemAdded(_)
            | Self::ChecklistItemChanged(_)
            | Self::ChecklistItemRemoved(_)
            | Self::Reparented(_)
            | Self::DependencyAdded(_)
            | Self::DependencyRemoved(_)
            | Self::ReactionAdded(_)
            | Self::ReactionRemoved(_)
            | Self::Watched(_)
            | Self::Unwatched(_)
            | Self::DueSoon(_)
            | Self::Overdue(_) => false,
        }
    }

    pub fn creates(&self) -> Creation {
        match self {
            Self::Created(_) => Creation::Aggregate,
            Self::Commented(e) => Creation::Inside(e.comment.to.id.0),
            Self::AttachmentAdded(e) => Creation::Inside(e.attachment.to.id.0),
            Self::ChecklistAdded(e) => Creation::Inside(e.checklist.to.id.0),
            Self::ChecklistItemAdded(e) => Creation::Inside(e.item.to.item.id.0),
            Self::Renamed(_)
            | Self::Described(_)
            | Self::Moved(_)
            | Self::Assigned(_)
            | Self::Unassigned(_)
            | Self::Labeled(_)
            | Self::Unlabeled(_)
            | Self::Prioritized(_)
            | Self::Scheduled(_)
            | Self::Estimated(_)
            | Self::Started(_)
            | Self::Paused(_)
            | Self::Resumed(_)
            | Self::Completed(_)
            | Self::Cancelled(_)
            | Self::Failed(_)
            | Self::Progressed(_)
            | Self::Reopened(_)
            | Self::Archived(_)
            | Self::Unarchived(_)
            | Self::Deleted(_)
            | Self::Restored(_)
            | Self::CommentEdited(_)
            | Self::CommentRemoved(_)
            | Self::AttachmentRemoved(_)
            | Self::ChecklistRenamed(_)
            | Self::ChecklistRemoved(_)
            | Self::ChecklistItemChanged(_)
            | Self::ChecklistItemRemoved(_)
            | Self::Reparented(_)
            | Self::DependencyAdded(_)
            | Self::DependencyRemoved(_)
            | Self::ReactionAdded(_)
            | Self::ReactionRemoved(_)
            | Self::Watched(_)
            | Self::Unwatched(_)
            | Self::DueSoon(_)
            | Self::Overdue(_) => Creation::Nothing,
        }
    }
}
