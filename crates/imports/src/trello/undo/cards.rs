//! Undoing of actions on a card.

use serde_json::Value;
use taskfold_domain::Timestamp;

use super::{CardChange, CardEdit, InitialBoard};
use crate::trello::action::{Action, CardRole, text};
use crate::trello::export::color_label_id;
use crate::trello::fit;
use crate::trello::snapshot::Card;

impl InitialBoard {
    /// Id of the card that an action is about. A card that was not known so far was removed from the board later.
    pub(super) fn card_named_by(&mut self, action: &Action) -> Option<String> {
        let id = match action.card() {
            Some(id) => id.to_owned(),
            None => action
                .id_of("checklist")
                .and_then(|id| self.card_of_checklist.get(id))
                .or_else(|| action.id_of("checkItem").and_then(|id| self.card_of_item.get(id)))?
                .clone(),
        };
        let next = self.cards.len();
        let card =
            self.cards.entry(id.clone()).or_insert_with(|| Card { id: id.clone(), index: next, ..Card::default() });
        if card.name.is_empty() {
            action.text_of("card", "name").unwrap_or_default().clone_into(&mut card.name);
        }
        if card.list.is_empty() {
            let list = action.id_of("listAfter").or(action.list());
            list.unwrap_or_default().clone_into(&mut card.list);
        }
        Some(id)
    }

    pub(super) fn undo_on_card(&mut self, action: &Action, id: &str) -> Vec<CardChange> {
        match action.card_role() {
            CardRole::Creates => return vec![self.undo_create(action, id)],
            CardRole::Deletes => {
                self.present_cards.insert(id.to_owned());
                return vec![CardChange::Deleted];
            }
            CardRole::Touches => {}
        }
        // Taken out of the map, so that the card and the rest of the board can be changed at once.
        let Some(mut card) = self.cards.remove(id) else { return vec![] };
        let changes = match action.kind.as_str() {
            "updateCard" => self.undo_update_card(action, &mut card),
            "addMemberToCard" | "removeMemberFromCard" => self.undo_membership(action, &mut card),
            "addLabelToCard" | "removeLabelFromCard" => self.undo_labeling(action, &mut card),
            "commentCard" | "copyCommentCard" | "updateComment" | "deleteComment" => {
                self.undo_comment(action).map(CardChange::Comment).into_iter().collect()
            }
            _ => self.undo_checklist(action, &mut card).map(CardChange::Checklist).into_iter().collect(),
        };
        self.cards.insert(id.to_owned(), card);
        changes
    }

    fn undo_create(&mut self, action: &Action, id: &str) -> CardChange {
        self.present_cards.remove(id);
        let mut created = self.cards.get(id).cloned().unwrap_or_default();
        if let Some(list) = action.list().filter(|list| self.lists.contains_key(*list)) {
            list.clone_into(&mut created.list);
        }
        created.name = fit::name(&created.name, &action.kind, &mut self.skipped);
        CardChange::Created(Box::new(created))
    }

    fn undo_update_card(&mut self, action: &Action, card: &mut Card) -> Vec<CardChange> {
        let Some(old) = action.old().filter(|old| !old.is_empty()) else {
            self.skip(action, "does not say what changed");
            return vec![];
        };
        let mut changes = Vec::new();
        for (field, before) in old {
            let after = action.value_of("card", field);
            match (field.as_str(), before) {
                ("name", Value::String(before)) => {
                    let after = after.and_then(Value::as_str).unwrap_or(&card.name);
                    changes.push(CardChange::Edited(CardEdit::Name(fit::name(after, &action.kind, &mut self.skipped))));
                    card.name = fit::name(before, &action.kind, &mut self.skipped);
                }
                ("desc", Value::String(before)) => {
                    let after = after.and_then(Value::as_str).unwrap_or(&card.description);
                    changes.push(CardChange::Edited(CardEdit::Description(fit::description(
                        after,
                        &action.kind,
                        &mut self.skipped,
                    ))));
                    card.description = fit::description(before, &action.kind, &mut self.skipped);
                }
                ("closed", Value::Bool(before)) => {
                    changes.push(CardChange::Closed(after.and_then(Value::as_bool).unwrap_or(!before)));
                    card.closed = *before;
                }
                ("due", before) => {
                    changes.push(CardChange::Edited(CardEdit::Due(self.time(action, after, card.due))));
                    card.due = self.time(action, Some(before), None);
                }
                ("start", before) => {
                    changes.push(CardChange::Edited(CardEdit::Start(self.time(action, after, card.start))));
                    card.start = self.time(action, Some(before), None);
                }
                ("idMembers", before) => {
                    let after = after.map_or_else(|| card.members.clone(), ids);
                    card.members = ids(before);
                    set_changes(&mut changes, &card.members, &after, CardChange::Assigned, CardChange::Unassigned);
                }
                ("idLabels", before) => {
                    let after = after.map_or_else(|| card.labels.clone(), ids);
                    card.labels = ids(before);
                    set_changes(&mut changes, &card.labels, &after, CardChange::Labeled, CardChange::Unlabeled);
                }
                // Undone together by `undo_placement`.
                ("idList", Value::String(_)) | ("pos", Value::Number(_)) => {}
                ("dueComplete", _) => {
                    self.skip(
                        action,
                        "a completed due date has no counterpart: the list decides whether a task is done",
                    );
                }
                (field, _) => self.no_counterpart(action, field),
            }
        }
        changes.extend(self.undo_placement(action, card));
        changes
    }

    fn undo_placement(&mut self, action: &Action, card: &mut Card) -> Option<CardChange> {
        let old = |field: &str| action.old().and_then(|old| old.get(field));
        let (from, old_pos) = (old("idList").and_then(Value::as_str), old("pos").and_then(Value::as_f64));
        if from.is_none() && old_pos.is_none() {
            return None;
        }
        let to = action.value_of("card", "idList").and_then(Value::as_str).or_else(|| action.id_of("listAfter"));
        let to = to.filter(|to| !to.is_empty() && from.is_some()).unwrap_or(&card.list).to_owned();
        let pos = action.value_of("card", "pos").and_then(Value::as_f64).unwrap_or(card.pos);
        self.note_list(&to, None);
        if let Some(from) = from.filter(|from| !from.is_empty()) {
            self.note_list(from, None);
            from.clone_into(&mut card.list);
        }
        card.pos = old_pos.unwrap_or(pos);
        Some(CardChange::Placed { list: to, pos })
    }

    fn time(&mut self, action: &Action, value: Option<&Value>, fallback: Option<Timestamp>) -> Option<Timestamp> {
        let Some(value) = value else { return fallback };
        let time = fit::time(value);
        if time.is_none() && !value.is_null() {
            self.skip(action, "a date in it is not readable");
        }
        time
    }

    fn undo_membership(&mut self, action: &Action, card: &mut Card) -> Vec<CardChange> {
        let Some(member) = action.about().map(str::to_owned) else {
            self.skip(action, "does not say who");
            return vec![];
        };
        if action.kind == "addMemberToCard" {
            card.members.retain(|m| *m != member);
            vec![CardChange::Assigned(member)]
        } else {
            put(&mut card.members, &member);
            vec![CardChange::Unassigned(member)]
        }
    }

    fn undo_labeling(&mut self, action: &Action, card: &mut Card) -> Vec<CardChange> {
        let id = action.id_of("label").map(str::to_owned).or_else(|| {
            let label = action.data.get("label").unwrap_or(&action.data);
            let (color, name) = (text(label, "color").or_else(|| text(label, "value")), text(label, "name"));
            color.or(name).map(|_| color_label_id(color.unwrap_or_default(), name.unwrap_or_default()))
        });
        let Some(id) = id else {
            self.skip(action, "does not say which label");
            return vec![];
        };
        self.note_label(&id, action);
        if action.kind == "addLabelToCard" {
            card.labels.retain(|l| *l != id);
            vec![CardChange::Labeled(id)]
        } else {
            put(&mut card.labels, &id);
            vec![CardChange::Unlabeled(id)]
        }
    }
}

fn ids(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for id in value.as_array().into_iter().flatten().filter_map(Value::as_str).filter(|id| !id.is_empty()) {
        put(&mut found, id);
    }
    found
}

fn put(ids: &mut Vec<String>, id: &str) {
    if !ids.iter().any(|known| known == id) {
        ids.push(id.to_owned());
    }
}

fn set_changes(
    changes: &mut Vec<CardChange>,
    before: &[String],
    after: &[String],
    added: fn(String) -> CardChange,
    removed: fn(String) -> CardChange,
) {
    changes.extend(before.iter().filter(|id| !after.contains(id)).cloned().map(removed));
    changes.extend(after.iter().filter(|id| !before.contains(id)).cloned().map(added));
}
