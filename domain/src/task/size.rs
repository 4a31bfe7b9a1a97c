//! Memory that a task takes, for caches that are bounded by it.

use std::mem::size_of;

use super::fields::Fields;
use super::state::{Card, Situation, Task};
use super::values::{Attachment, Checklist, Item, Reaction};
use crate::ids::UserId;

impl Task {
    /// Approximate size in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.situation {
                Situation::Absent => 0,
                Situation::Present(card) | Situation::Deleted { card, .. } => card.bytes(),
            }
    }
}

impl Card {
    fn bytes(&self) -> usize {
        let ids = self.removed_comments.len() + self.removed_attachments.len() + self.opt_outs.as_slice().len();
        size_of::<Self>()
            + self.fields.heap_bytes()
            + ids * size_of::<UserId>()
            + size_of_val(self.comments.as_slice())
            + self.attachments.iter().map(Attachment::bytes).sum::<usize>()
            + self.reactions.iter().map(Reaction::bytes).sum::<usize>()
    }
}

impl Fields {
    fn heap_bytes(&self) -> usize {
        let ids = self.assignee_ids.len()
            + self.label_ids.len()
            + self.dependency_ids.len()
            + self.watcher_ids.as_slice().len()
            + self.assigned_watcher_ids.len();
        let texts = [self.title.len(), self.description.len(), self.rank.as_str().len()];
        texts.iter().sum::<usize>()
            + self.reason.as_ref().map_or(0, String::len)
            + ids * size_of::<UserId>()
            + self.checklists.iter().map(Checklist::bytes).sum::<usize>()
    }
}

impl Attachment {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.file_name.len() + self.content_type.len() + self.sha256.len()
    }
}

impl Checklist {
    fn bytes(&self) -> usize {
        let items: usize = self.items.iter().map(|item| size_of::<Item>() + item.text.len()).sum();
        size_of::<Self>() + self.title.len() + items
    }
}

impl Reaction {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.emoji.len()
    }
}
