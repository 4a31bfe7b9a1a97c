//! Undoing of actions on the comments and checklists of a card.

use serde_json::Value;

use super::{ChecklistChange, CommentChange, InitialBoard};
use crate::trello::action::{Action, text};
use crate::trello::fit;
use crate::trello::snapshot::{Card, Checklist, Item};

impl InitialBoard {
    pub(super) fn undo_comment(&mut self, action: &Action) -> Option<CommentChange> {
        if action.is_comment() {
            let comment = action.id.clone();
            let raw = text(&action.data, "text").unwrap_or_default();
            let first = self.comments.remove(&comment).unwrap_or_else(|| raw.to_owned());
            let text = fit::comment(&first, &action.kind, &mut self.skipped);
            return self.or_no_text(action, text.map(|text| CommentChange::Added { comment, text }));
        }
        let Some(comment) = action.id_of("action").map(str::to_owned) else {
            self.skip(action, "does not say which comment");
            return None;
        };
        if action.kind == "deleteComment" {
            return Some(CommentChange::Removed { comment });
        }
        let current = self.comments.remove(&comment);
        let after = action.text_of("action", "text").or_else(|| text(&action.data, "text")).or(current.as_deref());
        let after = after.and_then(|t| fit::comment(t, &action.kind, &mut self.skipped));
        if let Some(before) = action.old().and_then(|old| old.get("text")).and_then(Value::as_str) {
            self.comments.insert(comment.clone(), before.to_owned());
        }
        self.or_no_text(action, after.map(|text| CommentChange::Edited { comment, text }))
    }

    fn or_no_text(&mut self, action: &Action, change: Option<CommentChange>) -> Option<CommentChange> {
        if change.is_none() {
            self.skip(action, "has no text");
        }
        change
    }

    pub(super) fn undo_checklist(&mut self, action: &Action, card: &mut Card) -> Option<ChecklistChange> {
        let item = action.id_of("checkItem").map(str::to_owned);
        let containing = |item: &str| card.checklists.iter().find(|c| c.items.iter().any(|i| i.id == item));
        // Old exports do not say in which checklist an item is.
        let named = action.id_of("checklist").map(str::to_owned);
        let Some(id) = named.or_else(|| item.as_deref().and_then(containing).map(|c| c.id.clone())) else {
            self.skip(action, "does not say which checklist");
            return None;
        };
        match (action.kind.as_str(), item) {
            ("addChecklistToCard", _) => {
                let checklist = match card.checklists.iter().position(|c| c.id == id) {
                    Some(at) => card.checklists.remove(at),
                    None => self.checklist_of(action, &id),
                };
                Some(ChecklistChange::Added(checklist))
            }
            ("removeChecklistFromCard", _) => {
                if !card.checklists.iter().any(|c| c.id == id) {
                    card.checklists.push(self.checklist_of(action, &id));
                    self.card_of_checklist.insert(id.clone(), card.id.clone());
                }
                Some(ChecklistChange::Removed { checklist: id })
            }
            ("updateChecklist", _) => self.undo_update_checklist(action, card, &id),
            (_, None) => {
                self.skip(action, "does not say which item");
                None
            }
            (_, Some(item)) => match card.checklists.iter_mut().find(|c| c.id == id) {
                Some(checklist) => self.undo_item(action, checklist, &item),
                None => {
                    self.skip(action, "its checklist is not in the export");
                    None
                }
            },
        }
    }

    fn checklist_of(&mut self, action: &Action, id: &str) -> Checklist {
        let name = action.text_of("checklist", "name").unwrap_or("Checklist");
        Checklist { id: id.to_owned(), name: fit::name(name, "checklist", &mut self.skipped), items: vec![] }
    }

    fn undo_update_checklist(&mut self, action: &Action, card: &mut Card, id: &str) -> Option<ChecklistChange> {
        let checklist = card.checklists.iter_mut().find(|c| c.id == id);
        let before = action.old().and_then(|old| old.get("name")).and_then(Value::as_str);
        let (Some(checklist), Some(before)) = (checklist, before) else {
            self.skip(action, "changes no name of a checklist in the export");
            return None;
        };
        let after = action.text_of("checklist", "name").unwrap_or(&checklist.name);
        let name = fit::name(after, "checklist", &mut self.skipped);
        checklist.name = fit::name(before, "checklist", &mut self.skipped);
        Some(ChecklistChange::Renamed { checklist: id.to_owned(), name })
    }

    fn undo_item(&mut self, action: &Action, list: &mut Checklist, id: &str) -> Option<ChecklistChange> {
        let checklist = list.id.clone();
        let at = match list.items.iter().position(|i| i.id == id) {
            Some(at) => at,
            None => {
                // The item was deleted later. Its only description is the one in this action.
                list.items.push(self.item_of(action, id));
                list.items.len() - 1
            }
        };
        let item = &mut list.items[at];
        match action.kind.as_str() {
            "createCheckItem" => {
                let item = list.items.remove(at);
                Some(ChecklistChange::ItemAdded { checklist, item })
            }
            "deleteCheckItem" => Some(ChecklistChange::ItemRemoved { checklist, item: id.to_owned() }),
            "updateCheckItemStateOnCard" => {
                let done = action.text_of("checkItem", "state").map_or(item.done, |s| s == "complete");
                item.done = !done;
                Some(ChecklistChange::ItemChanged { checklist, item: id.to_owned(), text: None, done: Some(done) })
            }
            _ => self.undo_update_item(action, checklist, item),
        }
    }

    fn undo_update_item(&mut self, action: &Action, checklist: String, item: &mut Item) -> Option<ChecklistChange> {
        let old = |field: &str| action.old().and_then(|old| old.get(field)).and_then(Value::as_str);
        let (mut text, mut done) = (None, None);
        if let Some(before) = old("name") {
            let after = action.text_of("checkItem", "name").unwrap_or(&item.name);
            text = fit::comment(after, "checkItem", &mut self.skipped);
            let before = fit::comment(before, "checkItem", &mut self.skipped);
            item.name = before.unwrap_or_else(|| fit::UNTITLED.to_owned());
        }
        if let Some(before) = old("state") {
            done = Some(before != "complete");
            item.done = before == "complete";
        }
        if text.is_none() && done.is_none() {
            self.skip(action, "changes neither an item's text nor its state");
            return None;
        }
        Some(ChecklistChange::ItemChanged { checklist, item: item.id.clone(), text, done })
    }

    fn item_of(&mut self, action: &Action, id: &str) -> Item {
        let name = action.text_of("checkItem", "name").unwrap_or_default();
        let name = fit::comment(name, "checkItem", &mut self.skipped);
        Item {
            id: id.to_owned(),
            name: name.unwrap_or_else(|| fit::UNTITLED.to_owned()),
            done: action.text_of("checkItem", "state") == Some("complete"),
        }
    }
}
