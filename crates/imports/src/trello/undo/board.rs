//! Undoing of actions on the board itself, its lists, labels and members.

use serde_json::Value;

use super::{BoardChange, InitialBoard, ListChange};
use crate::trello::action::{Action, text};
use crate::trello::fit;
use crate::trello::snapshot::{Label, List};

impl InitialBoard {
    /// Adds the lists that actions name and the board no longer has.
    pub(super) fn note_lists(&mut self, action: &Action) {
        for thing in ["list", "listBefore", "listAfter"] {
            if let Some(id) = action.id_of(thing) {
                self.note_list(id, action.text_of(thing, "name"));
            }
        }
    }

    pub(super) fn note_list(&mut self, id: &str, name: Option<&str>) {
        if !id.is_empty() && !self.lists.contains_key(id) {
            self.last_pos += 65_536.0;
            let name = fit::name(name.unwrap_or("More"), "list", &mut self.skipped);
            self.lists.insert(id.to_owned(), List { id: id.to_owned(), name, pos: self.last_pos, closed: false });
            self.present_lists.insert(id.to_owned());
        }
    }

    pub(super) fn undo_on_board(&mut self, action: &Action) -> Vec<BoardChange> {
        match action.kind.as_str() {
            "updateBoard" => self.undo_update_board(action),
            "addMemberToBoard" | "removeMemberFromBoard" => {
                let Some(member) = action.about().map(str::to_owned) else {
                    self.skip(action, "does not say who");
                    return vec![];
                };
                let joined = action.kind == "addMemberToBoard";
                vec![if joined { BoardChange::MemberJoined(member) } else { BoardChange::MemberLeft(member) }]
            }
            "createLabel" | "updateLabel" | "deleteLabel" => self.undo_label(action),
            _ => self.undo_list(action),
        }
    }

    fn undo_update_board(&mut self, action: &Action) -> Vec<BoardChange> {
        let Some(old) = action.old() else {
            self.skip(action, "does not say what changed");
            return vec![];
        };
        let mut changes = Vec::new();
        for (field, before) in old {
            match (field.as_str(), before) {
                ("name", Value::String(before)) => {
                    let after = action.text_of("board", "name").unwrap_or(&self.name);
                    changes.push(BoardChange::Renamed(fit::name(after, "board", &mut self.skipped)));
                    self.name = fit::name(before, "board", &mut self.skipped);
                }
                ("desc", Value::String(before)) => {
                    let after = action.text_of("board", "desc").unwrap_or(&self.description);
                    changes.push(BoardChange::Described(fit::description(after, "board", &mut self.skipped)));
                    self.description = fit::description(before, "board", &mut self.skipped);
                }
                ("closed", Value::Bool(before)) => {
                    let after = action.value_of("board", "closed").and_then(Value::as_bool);
                    changes.push(BoardChange::Closed(after.unwrap_or(!before)));
                    self.closed = *before;
                }
                (field, _) => self.no_counterpart(action, field),
            }
        }
        changes
    }

    fn undo_list(&mut self, action: &Action) -> Vec<BoardChange> {
        let Some(list) = action.list().and_then(|id| self.lists.get(id)).cloned() else {
            self.skip(action, "does not say which list");
            return vec![];
        };
        match action.kind.as_str() {
            "createList" | "moveListToBoard" => {
                self.present_lists.remove(&list.id);
                vec![BoardChange::ListCreated(list)]
            }
            "moveListFromBoard" => {
                self.present_lists.insert(list.id.clone());
                vec![BoardChange::List { list: list.id, change: ListChange::Removed }]
            }
            _ => self.undo_update_list(action, list),
        }
    }

    fn undo_update_list(&mut self, action: &Action, mut state: List) -> Vec<BoardChange> {
        let Some(old) = action.old() else {
            self.skip(action, "does not say what changed");
            return vec![];
        };
        let mut changes = Vec::new();
        for (field, before) in old {
            let list = state.id.clone();
            let after = action.value_of("list", field);
            match (field.as_str(), before) {
                ("name", Value::String(before)) => {
                    let name = after.and_then(Value::as_str).unwrap_or(&state.name);
                    changes.push(BoardChange::List {
                        list,
                        change: ListChange::Renamed(fit::name(name, "list", &mut self.skipped)),
                    });
                    state.name = fit::name(before, "list", &mut self.skipped);
                }
                ("pos", Value::Number(before)) => {
                    changes.push(BoardChange::List {
                        list,
                        change: ListChange::Moved(after.and_then(Value::as_f64).unwrap_or(state.pos)),
                    });
                    state.pos = before.as_f64().unwrap_or(state.pos);
                }
                ("closed", Value::Bool(before)) => {
                    let closed = after.and_then(Value::as_bool).unwrap_or(!before);
                    changes.push(BoardChange::List { list, change: ListChange::Closed(closed) });
                    state.closed = *before;
                }
                (field, _) => self.no_counterpart(action, field),
            }
        }
        self.lists.insert(state.id.clone(), state);
        changes
    }

    fn undo_label(&mut self, action: &Action) -> Vec<BoardChange> {
        let Some(id) = action.id_of("label").map(str::to_owned) else {
            self.skip(action, "does not say which label");
            return vec![];
        };
        let mut label = self.note_label(&id, action);
        match action.kind.as_str() {
            "createLabel" => {
                self.present_labels.remove(&id);
                vec![BoardChange::LabelCreated(label)]
            }
            "deleteLabel" => {
                self.present_labels.insert(id.clone());
                vec![BoardChange::LabelRemoved(id)]
            }
            _ => {
                let name = action.text_of("label", "name").unwrap_or(&label.name);
                let name = fit::label_name(name, &mut self.skipped);
                let color =
                    action.text_of("label", "color").map_or_else(|| label.color.clone(), |c| fit::color(Some(c)));
                let after = Label { id: id.clone(), name, color };
                if let Some(name) = action.old().and_then(|old| old.get("name")).and_then(Value::as_str) {
                    label.name = fit::label_name(name, &mut self.skipped);
                }
                if let Some(color) = action.old().and_then(|old| old.get("color")) {
                    label.color = fit::color(color.as_str());
                }
                self.labels.insert(id, label);
                vec![BoardChange::LabelChanged(after)]
            }
        }
    }

    /// The label with the id that an action names, created from the action if the board no longer has it.
    pub(super) fn note_label(&mut self, id: &str, action: &Action) -> Label {
        if let Some(label) = self.labels.get(id) {
            return label.clone();
        }
        let named = action.data.get("label");
        let name = named.and_then(|l| text(l, "name")).unwrap_or_default();
        let name = fit::label_name(name, &mut self.skipped);
        let label = Label { id: id.to_owned(), name, color: fit::color(named.and_then(|l| text(l, "color"))) };
        self.labels.insert(id.to_owned(), label.clone());
        self.present_labels.insert(id.to_owned());
        label
    }

    pub(super) fn no_counterpart(&mut self, action: &Action, field: &str) {
        // The name comes from the file, so it is shortened.
        let field: String = field.chars().filter(|c| c.is_alphanumeric()).take(40).collect();
        self.skipped.add(&action.kind, format!("changes `{field}`, which has no counterpart"));
    }
}
