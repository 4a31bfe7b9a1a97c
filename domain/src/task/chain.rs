//! Check that an event follows from the state before it: the `from` values must be those of the state.

use super::aspect::{Aspect, AttachmentChange, CommentChange};
use super::events::TaskEvent;
use super::state::{Card, Situation, Task};

impl Task {
    /// Names the field of which the event states another value before than the task has; `None` when it follows.
    pub fn contradicts(&self, event: &TaskEvent) -> Option<&'static str> {
        let card = match (&self.situation, event) {
            (Situation::Absent, TaskEvent::Created(_)) => return None,
            (Situation::Absent, _) | (_, TaskEvent::Created(_)) => return Some("existence"),
            (Situation::Present(_), TaskEvent::Deleted(e)) => {
                let was_deleted = e.deleted_at.from.is_some() || e.deleted_by.from.is_some();
                return e.deleted.from.then_some("deleted").or(was_deleted.then_some("deleted_at"));
            }
            (Situation::Deleted { by, at, .. }, TaskEvent::Restored(e)) => {
                return (!e.deleted.from)
                    .then_some("deleted")
                    .or((e.deleted_at.from != Some(*at)).then_some("deleted_at"))
                    .or((e.deleted_by.from != Some(*by)).then_some("deleted_by"));
            }
            (Situation::Deleted { .. }, _) | (Situation::Present(_), TaskEvent::Restored(_)) => return Some("deleted"),
            (Situation::Present(card), _) => card,
        };
        card.contradicts(event)
    }
}

impl Card {
    fn contradicts(&self, event: &TaskEvent) -> Option<&'static str> {
        match event.aspect() {
            Aspect::Created(_)
            | Aspect::Field
            | Aspect::Assignees(_)
            | Aspect::Status(_)
            | Aspect::Parent(_)
            | Aspect::Dependencies(_)
            | Aspect::DueStage(_)
            | Aspect::Deletion(_) => self.fields.contradicts(event),
            Aspect::Comment(change) => self.contradicts_comment(change),
            Aspect::Attachment(AttachmentChange::Added(added)) => {
                self.attachments.iter().any(|attachment| attachment.id == added.id).then_some("attachment")
            }
            Aspect::Attachment(AttachmentChange::Removed(removed)) => {
                (!self.attachments.contains(removed)).then_some("attachment")
            }
            // The creator watches without being named in an event, and may ask not to.
            Aspect::Watcher(_) => None,
        }
    }

    fn contradicts_comment(&self, change: CommentChange<'_>) -> Option<&'static str> {
        let was = self.comment(change.comment_id());
        let (field, follows) = match change {
            CommentChange::Added(_) => ("comment", was.is_none()),
            CommentChange::Edited(body) => ("comment", was.is_some_and(|was| was.has_text(&body.from.text))),
            CommentChange::Removed(removed) => {
                let same = was.is_some_and(|was| was.author_id == removed.author_id && was.has_text(&removed.text));
                ("comment", same)
            }
            CommentChange::ReactionAdded(added) => ("reaction", !self.reactions.contains(added)),
            CommentChange::ReactionRemoved(removed) => ("reaction", self.reactions.contains(removed)),
        };
        (!follows).then_some(field)
    }
}
