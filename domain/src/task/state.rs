//! State of a task, folded from its events.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::aspect::{Aspect, AttachmentChange, CommentChange};
use super::events::TaskEvent;
use super::fields::Fields;
use super::values::{Attachment, Comment, CommentBody, Reaction};
use super::watching::OptOuts;
use crate::Timestamp;
use crate::ids::{AttachmentId, CommentId, UserId};
use crate::merge::Touches;

/// A task, folded from its events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Number of its events.
    pub version: u64,
    /// Version of the last event that edits it: comments do not make an open form outdated.
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

/// A task's fields, and what commands on it are decided on besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    pub fields: Fields,
    pub comments: Vec<CommentDigest>,
    /// Ids of removed comments, which are not given out again.
    pub removed_comments: Vec<CommentId>,
    pub attachments: Vec<Attachment>,
    /// Ids of removed attachments, which are not given out again: their bytes are deleted.
    pub removed_attachments: Vec<AttachmentId>,
    pub reactions: Vec<Reaction>,
    pub opt_outs: OptOuts,
}

/// A comment without its text, which is in the log: thousands of them would be in memory for each command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentDigest {
    pub id: CommentId,
    pub author_id: UserId,
    /// Version of the task whose event has the text.
    pub written_at: u64,
    /// Hash of the text, to tell it from others.
    digest: u64,
}

impl Task {
    /// The card, whether deleted or not.
    pub fn card(&self) -> Option<&Card> {
        match &self.situation {
            Situation::Absent => None,
            Situation::Present(card) | Situation::Deleted { card, .. } => Some(card),
        }
    }

    /// Fields of the task, whether deleted or not.
    pub fn fields(&self) -> Option<&Fields> {
        self.card().map(|card| &card.fields)
    }

    pub fn apply(&mut self, event: &TaskEvent) {
        self.version += 1;
        if event.is_edit() {
            self.edited_version = self.version;
        }
        match event {
            TaskEvent::Created(created) => {
                self.situation = Situation::Present(Box::new(Card::new(Fields::new(created, None))));
            }
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
    fn new(fields: Fields) -> Self {
        Self {
            fields,
            comments: Vec::new(),
            removed_comments: Vec::new(),
            attachments: Vec::new(),
            removed_attachments: Vec::new(),
            reactions: Vec::new(),
            opt_outs: OptOuts::default(),
        }
    }

    pub fn comment(&self, id: CommentId) -> Option<&CommentDigest> {
        self.comments.iter().find(|comment| comment.id == id)
    }

    /// Applies an event. One that does not fit (a comment that is not there) changes nothing.
    fn apply(&mut self, event: &TaskEvent, version: u64) {
        self.fields.apply(event);
        self.opt_outs.apply(event, &self.fields.watcher_ids);
        match event.aspect() {
            Aspect::Comment(CommentChange::Added(comment)) => self.comments.push(CommentDigest {
                id: comment.id,
                author_id: comment.author_id,
                written_at: version,
                digest: digest(&comment.text),
            }),
            Aspect::Comment(CommentChange::Edited(body)) => {
                if let Some(comment) = self.comments.iter_mut().find(|comment| comment.id == body.to.id) {
                    comment.written_at = version;
                    comment.digest = digest(&body.to.text);
                }
            }
            Aspect::Comment(CommentChange::Removed(removed)) => {
                self.comments.retain(|comment| comment.id != removed.id);
                self.reactions.retain(|reaction| reaction.comment_id != removed.id);
                self.removed_comments.push(removed.id);
            }
            Aspect::Comment(CommentChange::ReactionAdded(reaction)) => self.reactions.push(reaction.clone()),
            Aspect::Comment(CommentChange::ReactionRemoved(removed)) => self.reactions.retain(|r| r != removed),
            Aspect::Attachment(AttachmentChange::Added(attachment)) => self.attachments.push(attachment.clone()),
            Aspect::Attachment(AttachmentChange::Removed(removed)) => {
                self.attachments.retain(|attachment| attachment.id != removed.id);
                self.removed_attachments.push(removed.id);
            }
            Aspect::Created(_)
            | Aspect::Field
            | Aspect::Assignees(_)
            | Aspect::Status(_)
            | Aspect::Parent(_)
            | Aspect::Dependencies(_)
            | Aspect::Watcher(_)
            | Aspect::DueStage(_)
            | Aspect::Deletion(_) => {}
        }
    }
}

impl CommentDigest {
    /// Compares by the digest: whether it has this text, as far as 64 bits tell.
    pub fn has_text(&self, text: &str) -> bool {
        self.digest == digest(text)
    }

    /// The comment with its text, from the event of its `written_at`. `None` for another event.
    pub fn read_from(&self, event: TaskEvent) -> Option<Comment> {
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
