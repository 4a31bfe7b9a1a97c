//! Corrections of checklists and comments.

use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{ChecklistId, ItemId, TaskId};
use taskfold_domain::task;
use taskfold_domain::task::commands::{
    AddChecklist, AddComment, AddItem, ChangeItem, EditComment, RemoveChecklist, RemoveComment, RemoveItem,
    RenameChecklist,
};

use super::card::CardVersions;
use super::{Field, Reconciliation};
use crate::command::Correction;
use crate::trello::snapshot::{Card, Checklist, Comment, Item};

impl Reconciliation {
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

    pub(super) fn checklists(&self, versions: &CardVersions<'_>, corrections: &mut Vec<Correction>) {
        let all = versions.base.is_none() || self.touched(versions.id, Field::Checklists);
        let base = |id: &str| versions.base.and_then(|b| b.checklists.iter().find(|c| c.id == id));
        // Checklists that came from the source, and that the source no longer has.
        let known = versions.base.into_iter().flat_map(|b| b.checklists.iter().map(|c| c.id.as_str()));
        let named = self.named.iter().map(String::as_str);
        for source in distinct(known.chain(named)) {
            let checklist_id = self.ids.checklist(source);
            let present = versions.current.fields.checklists.iter().any(|c| c.id == checklist_id);
            if present && !versions.new.checklists.iter().any(|c| c.id == source) {
                let remove = RemoveChecklist { checklist_id };
                corrections.push(Correction::task(versions.id, TaskCommand::RemoveChecklist(remove)));
            }
        }
        for list in &versions.new.checklists {
            let checklist_id = self.ids.checklist(&list.id);
            match versions.current.fields.checklists.iter().find(|c| c.id == checklist_id) {
                None if all || base(&list.id).is_none() => {
                    self.new_checklists(versions.id, std::slice::from_ref(list), corrections);
                }
                None => {}
                Some(current) => {
                    self.checklist(versions.id, current, list, base(&list.id).filter(|_| !all), corrections)
                }
            }
        }
    }

    /// Corrections of a checklist. Without `base`, every difference is corrected.
    fn checklist(
        &self,
        id: TaskId,
        current: &task::Checklist,
        new: &Checklist,
        base: Option<&Checklist>,
        corrections: &mut Vec<Correction>,
    ) {
        let checklist_id = current.id;
        if current.title != new.name
            && base.is_none_or(|b| b.name != new.name)
            && let Ok(title) = new.name.clone().try_into()
        {
            let rename = RenameChecklist { checklist_id, title };
            corrections.push(Correction::task(id, TaskCommand::RenameChecklist(rename)));
        }
        let base_items: Vec<&str> = base.iter().flat_map(|b| b.items.iter().map(|i| i.id.as_str())).collect();
        for source in distinct(base_items.iter().copied().chain(self.named.iter().map(String::as_str))) {
            let item_id = self.ids.item(source);
            if current.items.iter().any(|i| i.id == item_id) && !new.items.iter().any(|i| i.id == source) {
                let remove = RemoveItem { checklist_id, item_id };
                corrections.push(Correction::task(id, TaskCommand::RemoveChecklistItem(remove)));
            }
        }
        for item in &new.items {
            let item_id = self.ids.item(&item.id);
            let before = base.and_then(|b| b.items.iter().find(|i| i.id == item.id));
            let Some(current) = current.items.iter().find(|i| i.id == item_id) else {
                if before.is_none() {
                    corrections.extend(self.new_item(id, new, item));
                }
                continue;
            };
            let text =
                (current.text != item.name && before.is_none_or(|b| b.name != item.name)).then(|| item.name.clone());
            let done = (current.done != item.done && before.is_none_or(|b| b.done != item.done)).then_some(item.done);
            let text = text.and_then(|t| t.try_into().ok());
            if text.is_some() || done.is_some() {
                let change = ChangeItem { checklist_id, item_id, text, done, after: None };
                corrections.push(Correction::task(id, TaskCommand::ChangeChecklistItem(change)));
            }
        }
        let order = |list: &Checklist| -> Vec<ItemId> { list.items.iter().map(|i| self.ids.item(&i.id)).collect() };
        if base.is_none_or(|b| order(b) != order(new)) {
            self.item_order(id, checklist_id, current, &order(new), corrections);
        }
    }

    /// Corrections of the order of items. Items that are not from the source have no fixed place.
    fn item_order(
        &self,
        id: TaskId,
        checklist_id: ChecklistId,
        current: &task::Checklist,
        new: &[ItemId],
        corrections: &mut Vec<Correction>,
    ) {
        let mut order: Vec<ItemId> = current.items.iter().map(|i| i.id).filter(|i| new.contains(i)).collect();
        order.extend(new.iter().filter(|i| !current.items.iter().any(|item| item.id == **i)));
        let mut after = None;
        for (i, item_id) in new.iter().copied().enumerate() {
            if order.get(i) != Some(&item_id) {
                order.retain(|other| *other != item_id);
                order.insert(i.min(order.len()), item_id);
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
                actor: comment.author.as_deref().map(|author| self.ids.person(author)),
                at: Some(comment.at),
                ..Correction::task(id, TaskCommand::Comment(add))
            });
        }
    }

    pub(super) fn comments(&self, versions: &CardVersions<'_>, corrections: &mut Vec<Correction>) {
        let base = |id: &str| versions.base.and_then(|b: &Card| b.comments.iter().find(|c| c.id == id));
        let touched = self.touched(versions.id, Field::Comments);
        for comment in &versions.new.comments {
            let comment_id = self.ids.comment(&comment.id);
            let current = versions.current.comments.iter().find(|c| c.id == comment_id);
            let Some(current) = current else {
                let removed = versions.current.removed_comments.contains(&comment_id);
                if !removed && base(&comment.id).is_none() {
                    self.new_comments(versions.id, std::slice::from_ref(comment), corrections);
                }
                continue;
            };
            let changed = touched || base(&comment.id).is_none_or(|b| b.text != comment.text);
            if !current.has_text(&comment.text)
                && changed
                && let Ok(text) = comment.text.clone().try_into()
            {
                let edit = TaskCommand::EditComment(EditComment { comment_id, text });
                let actor = comment.author.as_deref().map(|author| self.ids.person(author));
                corrections.push(Correction { actor, ..Correction::task(versions.id, edit) });
            }
        }
        for comment in versions.base.into_iter().flat_map(|b| &b.comments) {
            let comment_id = self.ids.comment(&comment.id);
            let removed = !versions.new.comments.iter().any(|c| c.id == comment.id) && !self.is_cut_off(comment.at);
            if removed && versions.current.comments.iter().any(|c| c.id == comment_id) {
                let remove = TaskCommand::RemoveComment(RemoveComment { comment_id });
                corrections.push(Correction::task(versions.id, remove));
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
