use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{ChecklistId, ItemId, TaskId};
use taskfold_domain::task::commands::{
    AddChecklist, AddComment, AddItem, ChangeItem, EditComment, RemoveChecklist, RemoveComment, RemoveItem,
    RenameChecklist,
};
use taskfold_domain::task::{self};

use super::card::Three;
use super::{Correction, Field, Wanted};
use crate::trello::snapshot::{Card, Checklist, Comment, Item};

impl Wanted<'_> {
    pub(super) fn new_checklists(&self, id: TaskId, lists: &[Checklist], corrections: &mut Vec<Correction>) {
        for list in lists {
            let Ok(title) = list.name.clone().try_into() else { continue };
            let add = AddChecklist { id: Some(self.ids.checklist(&list.id)), title };
            corrections.push(Correction::task(id, TaskCommand::AddChecklist(add)));
            for item in &list.items {
                corrections.extend(self.new_item(id, list, item));
            }
        }
    }

    fn new_item(&self, id: TaskId, list: &Checklist, item: &Item) -> Option<Correction> {
        let text = item.name.clone().try_into().ok()?;
        let (checklist_id, item_id) = (self.ids.checklist(&list.id), Some(self.ids.item(&item.id)));
        let add = AddItem { checklist_id, id: item_id, text, done: item.done, after: None };
        Some(Correction::task(id, TaskCommand::AddChecklistItem(add)))
    }

    pub(super) fn checklists(&self, three: &Three<'_>, corrections: &mut Vec<Correction>) {
        let all = three.base.is_none() || self.touched(three.id, Field::Checklists);
        let base = |id: &str| three.base.and_then(|b| b.checklists.iter().find(|c| c.id == id));
        // What the source has no more, as far as it is known to come from there.
        let known = three.base.into_iter().flat_map(|b| b.checklists.iter().map(|c| c.id.as_str()));
        let named = self.named.iter().map(String::as_str);
        for source in distinct(known.chain(named)) {
            let checklist_id = self.ids.checklist(source);
            let there = three.here.fields.checklists.iter().any(|c| c.id == checklist_id);
            if there && !three.new.checklists.iter().any(|c| c.id == source) {
                let remove = RemoveChecklist { checklist_id };
                corrections.push(Correction::task(three.id, TaskCommand::RemoveChecklist(remove)));
            }
        }
        for list in &three.new.checklists {
            let checklist_id = self.ids.checklist(&list.id);
            match three.here.fields.checklists.iter().find(|c| c.id == checklist_id) {
                None if all || base(&list.id).is_none() => {
                    self.new_checklists(three.id, std::slice::from_ref(list), corrections);
                }
                None => {}
                Some(here) => self.checklist(three.id, here, list, base(&list.id).filter(|_| !all), corrections),
            }
        }
    }

    /// One checklist; without `base`, whatever differs is corrected.
    fn checklist(
        &self,
        id: TaskId,
        here: &task::Checklist,
        new: &Checklist,
        base: Option<&Checklist>,
        corrections: &mut Vec<Correction>,
    ) {
        let checklist_id = here.id;
        if here.title != new.name
            && base.is_none_or(|b| b.name != new.name)
            && let Ok(title) = new.name.clone().try_into()
        {
            let rename = RenameChecklist { checklist_id, title };
            corrections.push(Correction::task(id, TaskCommand::RenameChecklist(rename)));
        }
        let base_items: Vec<&str> = base.iter().flat_map(|b| b.items.iter().map(|i| i.id.as_str())).collect();
        for source in distinct(base_items.iter().copied().chain(self.named.iter().map(String::as_str))) {
            let item_id = self.ids.item(source);
            if here.items.iter().any(|i| i.id == item_id) && !new.items.iter().any(|i| i.id == source) {
                let remove = RemoveItem { checklist_id, item_id };
                corrections.push(Correction::task(id, TaskCommand::RemoveChecklistItem(remove)));
            }
        }
        for item in &new.items {
            let item_id = self.ids.item(&item.id);
            let before = base.and_then(|b| b.items.iter().find(|i| i.id == item.id));
            let Some(here) = here.items.iter().find(|i| i.id == item_id) else {
                if before.is_none() {
                    corrections.extend(self.new_item(id, new, item));
                }
                continue;
            };
            let text =
                (here.text != item.name && before.is_none_or(|b| b.name != item.name)).then(|| item.name.clone());
            let done = (here.done != item.done && before.is_none_or(|b| b.done != item.done)).then_some(item.done);
            let text = text.and_then(|t| t.try_into().ok());
            if text.is_some() || done.is_some() {
                let change = ChangeItem { checklist_id, item_id, text, done, after: None };
                corrections.push(Correction::task(id, TaskCommand::ChangeChecklistItem(change)));
            }
        }
        let order = |list: &Checklist| -> Vec<ItemId> { list.items.iter().map(|i| self.ids.item(&i.id)).collect() };
        if base.is_none_or(|b| order(b) != order(new)) {
            self.item_order(id, checklist_id, here, &order(new), corrections);
        }
    }

    /// Items in the source's order, those of this side left where they fall.
    fn item_order(
        &self,
        id: TaskId,
        checklist_id: ChecklistId,
        here: &task::Checklist,
        wanted: &[ItemId],
        corrections: &mut Vec<Correction>,
    ) {
        let mut now: Vec<ItemId> = here.items.iter().map(|i| i.id).filter(|i| wanted.contains(i)).collect();
        now.extend(wanted.iter().filter(|i| !here.items.iter().any(|h| h.id == **i)));
        let mut after = None;
        for (i, item_id) in wanted.iter().copied().enumerate() {
            if now.get(i) != Some(&item_id) {
                now.retain(|other| *other != item_id);
                now.insert(i.min(now.len()), item_id);
                let change = ChangeItem { checklist_id, item_id, text: None, done: None, after: Some(after) };
                corrections.push(Correction::task(id, TaskCommand::ChangeChecklistItem(change)));
            }
            after = Some(item_id);
        }
    }

    pub(super) fn new_comments(&self, id: TaskId, comments: &[Comment], corrections: &mut Vec<Correction>) {
        for comment in comments {
            let Ok(text) = comment.text.clone().try_into() else { continue };
            let add = AddComment { id: Some(self.ids.comment(&comment.id)), text };
            corrections.push(Correction {
                actor: comment.author.clone(),
                at: Some(comment.at),
                ..Correction::task(id, TaskCommand::Comment(add))
            });
        }
    }

    pub(super) fn comments(&self, three: &Three<'_>, corrections: &mut Vec<Correction>) {
        let base = |id: &str| three.base.and_then(|b: &Card| b.comments.iter().find(|c| c.id == id));
        let touched = self.touched(three.id, Field::Comments);
        for comment in &three.new.comments {
            let comment_id = self.ids.comment(&comment.id);
            let here = three.here.comments.iter().find(|c| c.id == comment_id);
            let Some(here) = here else {
                let removed = three.here.removed_comments.contains(&comment_id);
                if !removed && base(&comment.id).is_none() {
                    self.new_comments(three.id, std::slice::from_ref(comment), corrections);
                }
                continue;
            };
            let changed = touched || base(&comment.id).is_none_or(|b| b.text != comment.text);
            if !here.has_text(&comment.text)
                && changed
                && let Ok(text) = comment.text.clone().try_into()
            {
                let edit = TaskCommand::EditComment(EditComment { comment_id, text });
                corrections.push(Correction { actor: comment.author.clone(), ..Correction::task(three.id, edit) });
            }
        }
        for comment in three.base.into_iter().flat_map(|b| &b.comments) {
            let comment_id = self.ids.comment(&comment.id);
            let gone = !three.new.comments.iter().any(|c| c.id == comment.id) && !self.is_cut_off(comment.at);
            if gone && three.here.comments.iter().any(|c| c.id == comment_id) {
                let remove = TaskCommand::RemoveComment(RemoveComment { comment_id });
                corrections.push(Correction::task(three.id, remove));
            }
        }
    }
}

fn distinct<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
