use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::events::{CommentBody, DueStage, Lifecycle, PlacedItem, Priority, TaskEvent};
use super::lifecycle::Status;
use crate::Timestamp;
use crate::ids::{AttachmentId, ChecklistId, ColumnId, CommentId, ItemId, LabelId, ProjectId, TaskId, UserId};
use crate::merge::Touches;
use crate::rank::Rank;

/// A task as its events leave it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// How many events it has had.
    pub version: u64,
    /// The version of the last event that edits it: comments do not stale anybody's form.
    pub edited_version: u64,
    pub situation: Situation,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Situation {
    #[default]
    Absent,
    Present(Box<Card>),
    Deleted {
        card: Box<Card>,
        by: UserId,
        at: Timestamp,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    pub project_id: ProjectId,
    pub title: String,
    pub description: String,
    pub status: Status,
    pub running_since: Option<Timestamp>,
    pub elapsed_ms: u64,
    pub reason: Option<String>,
    pub progress: Option<u32>,
    pub column_id: ColumnId,
    pub rank: Rank,
    pub priority: Priority,
    pub assignee_ids: Vec<UserId>,
    pub label_ids: Vec<LabelId>,
    pub start_at: Option<Timestamp>,
    pub due_at: Option<Timestamp>,
    pub estimate_minutes: Option<u32>,
    pub parent_id: Option<TaskId>,
    pub archived: bool,
    pub comments: Vec<KeptComment>,
    /// Ids of removed comments, which are not given out again.
    pub removed_comments: Vec<CommentId>,
    pub attachments: Vec<Attachment>,
    /// Ids of removed attachments, which are not given out again: their bytes are gone.
    pub removed_attachments: Vec<AttachmentId>,
    pub checklists: Vec<Checklist>,
    pub dependency_ids: Vec<TaskId>,
    pub reactions: Vec<Reaction>,
    /// Who asked to hear of it.
    pub watching: Vec<UserId>,
    /// Who asked not to.
    pub not_watching: Vec<UserId>,
    /// What the clock has said of this due time.
    pub due_stage: Option<DueStage>,
}

/// One person's reaction to a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    pub comment_id: CommentId,
    pub user_id: UserId,
    #[schema(example = "\u{1f44d}")]
    pub emoji: String,
}

/// What is kept of a comment: its words are in the log, and thousands of them would be in memory for each command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptComment {
    pub id: CommentId,
    pub author_id: UserId,
    /// The version of the task with which it has its words: that of the event they are in.
    pub said_at: u64,
    /// Of the words, to tell others from them.
    digest: u64,
}

/// A comment as it stands in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = LoggedComment)]
pub struct Comment {
    pub id: CommentId,
    pub author_id: UserId,
    pub text: String,
    /// Members named with `@username` in the text.
    pub mentions: Vec<UserId>,
}

/// A file on a task as it stands in the log; its bytes are elsewhere, under its id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = LoggedAttachment)]
pub struct Attachment {
    pub id: AttachmentId,
    pub author_id: UserId,
    #[schema(example = "notes.pdf")]
    pub file_name: String,
    #[schema(example = "application/pdf")]
    pub content_type: String,
    /// In bytes.
    pub size: u64,
    /// Of the bytes, in lower-case hexadecimal.
    pub sha256: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Checklist {
    pub id: ChecklistId,
    pub title: String,
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Item {
    pub id: ItemId,
    pub text: String,
    pub done: bool,
}

impl Task {
    /// The card, whether deleted or not.
    pub fn card(&self) -> Option<&Card> {
        match &self.situation {
            Situation::Absent => None,
            Situation::Present(card) | Situation::Deleted { card, .. } => Some(card),
        }
    }

    pub fn apply(&mut self, event: TaskEvent) {
        self.version += 1;
        if event.is_edit() {
            self.edited_version = self.version;
        }
        match event {
            TaskEvent::Created(created) => self.situation = Situation::Present(Box::new(Card::new(*created))),
            TaskEvent::Deleted(deletion) => {
                if let (Some(by), Some(at)) = (deletion.deleted_by.to, deletion.deleted_at.to)
                    && let Situation::Present(card) = std::mem::take(&mut self.situation)
                {
                    self.situation = Situation::Deleted { card, by, at };
                }
            }
            TaskEvent::Restored(_) => {
                if let Situation::Deleted { card, .. } = std::mem::take(&mut self.situation) {
                    self.situation = Situation::Present(card);
                }
            }
            event => {
                if let Situation::Present(card) | Situation::Deleted { card, .. } = &mut self.situation {
                    card.apply(event, self.version);
                }
            }
        }
    }
}

impl Card {
    pub fn comment(&self, id: CommentId) -> Option<&KeptComment> {
        self.comments.iter().find(|comment| comment.id == id)
    }

    fn new(created: super::events::Created) -> Self {
        Self {
            project_id: created.project_id.to,
            title: created.title.to,
            description: created.description.to,
            status: created.status.to,
            running_since: None,
            elapsed_ms: 0,
            reason: None,
            progress: None,
            column_id: created.column_id.to,
            rank: created.rank.to,
            priority: created.priority.to,
            assignee_ids: created.assignee_ids.to,
            label_ids: created.label_ids.to,
            start_at: created.start_at.to,
            due_at: created.due_at.to,
            estimate_minutes: created.estimate_minutes.to,
            parent_id: created.parent_id.to,
            archived: false,
            comments: Vec::new(),
            removed_comments: Vec::new(),
            attachments: Vec::new(),
            removed_attachments: Vec::new(),
            checklists: Vec::new(),
            dependency_ids: Vec::new(),
            reactions: Vec::new(),
            watching: Vec::new(),
            not_watching: Vec::new(),
            due_stage: None,
        }
    }

    /// Takes what the event says; an event that does not fit (a comment that is not there) changes nothing.
    fn apply(&mut self, event: TaskEvent, version: u64) {
        match event {
            TaskEvent::Created(_) | TaskEvent::Deleted(_) | TaskEvent::Restored(_) => {}
            TaskEvent::Renamed(e) => self.title = e.title.to,
            TaskEvent::Described(e) => self.description = e.description.to,
            TaskEvent::Moved(e) => {
                if let Some(column_id) = e.column_id {
                    self.column_id = column_id.to;
                }
                self.rank = e.rank.to;
            }
            TaskEvent::Assigned(e) | TaskEvent::Unassigned(e) => self.assignee_ids = e.assignee_ids.to,
            TaskEvent::Labeled(e) | TaskEvent::Unlabeled(e) => self.label_ids = e.label_ids.to,
            TaskEvent::Prioritized(e) => self.priority = e.priority.to,
            TaskEvent::Scheduled(e) => {
                if let Some(start_at) = e.start_at {
                    self.start_at = start_at.to;
                }
                if let Some(due_at) = e.due_at {
                    self.due_at = due_at.to;
                    self.due_stage = None;
                }
            }
            TaskEvent::Estimated(e) => self.estimate_minutes = e.estimate_minutes.to,
            TaskEvent::Started(e)
            | TaskEvent::Paused(e)
            | TaskEvent::Resumed(e)
            | TaskEvent::Completed(e)
            | TaskEvent::Cancelled(e)
            | TaskEvent::Failed(e)
            | TaskEvent::Reopened(e) => self.step(e),
            TaskEvent::Progressed(e) => self.progress = e.progress.to,
            TaskEvent::Archived(e) | TaskEvent::Unarchived(e) => self.archived = e.archived.to,
            TaskEvent::Commented(e) => {
                let Comment { id, author_id, text, .. } = e.comment.to;
                self.comments.push(KeptComment { id, author_id, said_at: version, digest: digest(&text) });
            }
            TaskEvent::CommentEdited(e) => {
                if let Some(comment) = self.comments.iter_mut().find(|c| c.id == e.comment.to.id) {
                    comment.said_at = version;
                    comment.digest = digest(&e.comment.to.text);
                }
            }
            TaskEvent::CommentRemoved(e) => {
                let id = e.comment.from.id;
                self.comments.retain(|c| c.id != id);
                self.reactions.retain(|r| r.comment_id != id);
                self.removed_comments.push(id);
            }
            TaskEvent::AttachmentAdded(e) => self.attachments.push(e.attachment.to),
            TaskEvent::AttachmentRemoved(e) => {
                let id = e.attachment.from.id;
                self.attachments.retain(|a| a.id != id);
                self.removed_attachments.push(id);
            }
            TaskEvent::ChecklistAdded(e) => self.checklists.push(e.checklist.to),
            TaskEvent::ChecklistRenamed(e) => {
                if let Some(list) = self.checklists.iter_mut().find(|c| c.id == e.checklist.to.id) {
                    list.title = e.checklist.to.title;
                }
            }
            TaskEvent::ChecklistRemoved(e) => self.checklists.retain(|c| c.id != e.checklist.from.id),
            TaskEvent::ChecklistItemAdded(e) => place_item(&mut self.checklists, e.item.to),
            TaskEvent::ChecklistItemChanged(e) => {
                take_item(&mut self.checklists, &e.item.from);
                place_item(&mut self.checklists, e.item.to);
            }
            TaskEvent::ChecklistItemRemoved(e) => take_item(&mut self.checklists, &e.item.from),
            TaskEvent::Reparented(e) => self.parent_id = e.parent_id.to,
            TaskEvent::DependencyAdded(e) | TaskEvent::DependencyRemoved(e) => {
                self.dependency_ids = e.dependency_ids.to;
            }
            TaskEvent::ReactionAdded(e) => self.reactions.push(e.reaction.to),
            TaskEvent::ReactionRemoved(e) => self.reactions.retain(|r| *r != e.reaction.from),
            TaskEvent::Watched(e) => {
                self.not_watching.retain(|user| *user != e.watcher.to.user_id);
                self.watching.push(e.watcher.to.user_id);
            }
            TaskEvent::Unwatched(e) => {
                self.watching.retain(|user| *user != e.watcher.from.user_id);
                self.not_watching.push(e.watcher.from.user_id);
            }
            TaskEvent::DueSoon(e) | TaskEvent::Overdue(e) => self.due_stage = e.due_stage.to,
        }
    }

    fn step(&mut self, step: Lifecycle) {
        self.status = step.status.to;
        if let Some(since) = step.running_since {
            self.running_since = since.to;
        }
        if let Some(elapsed) = step.elapsed_ms {
            self.elapsed_ms = elapsed.to;
        }
        if let Some(reason) = step.reason {
            self.reason = reason.to;
        }
    }
}

impl KeptComment {
    /// Whether these are its words, as far as 64 bits of them tell.
    pub fn says(&self, text: &str) -> bool {
        self.digest == digest(text)
    }

    /// The comment with its words, from the event of its `said_at`. `None` for another event.
    pub fn said_in(&self, event: TaskEvent) -> Option<Comment> {
        if let TaskEvent::Commented(e) = event {
            return Some(e.comment.to).filter(|comment| comment.id == self.id);
        }
        let TaskEvent::CommentEdited(e) = event else { return None };
        let CommentBody { id, text, mentions } = e.comment.to;
        (id == self.id).then_some(Comment { id, author_id: self.author_id, text, mentions })
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Puts an item behind the one it names, or first; at the end when that one is gone.
pub fn place_item(checklists: &mut [Checklist], placed: PlacedItem) {
    let Some(list) = checklists.iter_mut().find(|c| c.id == placed.checklist_id) else { return };
    let index = match placed.after {
        None => 0,
        Some(after) => list.items.iter().position(|i| i.id == after).map_or(list.items.len(), |i| i + 1),
    };
    list.items.insert(index, placed.item);
}

pub fn take_item(checklists: &mut [Checklist], placed: &PlacedItem) {
    if let Some(list) = checklists.iter_mut().find(|c| c.id == placed.checklist_id) {
        list.items.retain(|i| i.id != placed.item.id);
    }
}
