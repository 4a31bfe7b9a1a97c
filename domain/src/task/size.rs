use std::mem::size_of;

use super::state::{Attachment, Card, Checklist, Item, Reaction, Situation, Task};
use crate::ids::UserId;

impl Task {
    /// About how many bytes it takes in memory, for caches that are bounded by them.
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
        let ids = self.assignee_ids.len()
            + self.label_ids.len()
            + self.removed_comments.len()
            + self.removed_attachments.len()
            + self.dependency_ids.len()
            + self.watching.len()
            + self.not_watching.len();
        let words = [self.title.len(), self.description.len(), self.rank.as_str().len()];
        size_of::<Self>()
            + words.iter().sum::<usize>()
            + self.reason.as_ref().map_or(0, String::len)
            + ids * size_of::<UserId>()
            + size_of_val(self.comments.as_slice())
            + self.attachments.iter().map(Attachment::bytes).sum::<usize>()
            + self.checklists.iter().map(Checklist::bytes).sum::<usize>()
            + self.reactions.iter().map(Reaction::bytes).sum::<usize>()
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
