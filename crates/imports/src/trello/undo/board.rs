use serde_json::Value;

use super::{Did, Undone};
use crate::trello::action::{Action, text};
use crate::trello::fit;
use crate::trello::snapshot::{Label, List};

impl Undone {
    /// Lists that actions name and the board no longer has were there once.
    pub(super) fn meet_lists(&mut self, action: &Action) {
        for thing in ["list", "listBefore", "listAfter"] {
            if let Some(id) = action.id_of(thing) {
                self.meet_list(id, action.text_of(thing, "name"));
            }
        }
    }

    pub(super) fn meet_list(&mut self, id: &str, name: Option<&str>) {
        if !id.is_empty() && !self.lists.contains_key(id) {
            self.last_pos += 65_536.0;
            let name = fit::name(name.unwrap_or("More"), "list", &mut self.skipped);
            self.lists.insert(id.to_owned(), List { id: id.to_owned(), name, pos: self.last_pos, closed: false });
            self.lists_there.insert(id.to_owned());
        }
    }

    pub(super) fn undo_on_board(&mut self, action: &Action) -> Vec<Did> {
        match action.kind.as_str() {
            "updateBoard" => self.undo_update_board(action),
            "addMemberToBoard" | "removeMemberFromBoard" => {
                let Some(member) = action.about().map(str::to_owned) else {
                    self.skip(action, "does not say who");
                    return vec![];
                };
                let joined = action.kind == "addMemberToBoard";
                vec![if joined { Did::MemberJoined(member) } else { Did::MemberLeft(member) }]
            }
            "createLabel" | "updateLabel" | "deleteLabel" => self.undo_label(action),
            _ => self.undo_list(action),
        }
    }

    fn undo_update_board(&mut self, action: &Action) -> Vec<Did> {
        let Some(old) = action.old() else {
            self.skip(action, "does not say what changed");
            return vec![];
        };
        let mut did = Vec::new();
        for (field, before) in old {
            match (field.as_str(), before) {
                ("name", Value::String(before)) => {
                    let after = action.text_of("board", "name").unwrap_or(&self.name);
                    did.push(Did::BoardNamed(fit::name(after, "board", &mut self.skipped)));
                    self.name = fit::name(before, "board", &mut self.skipped);
                }
                ("desc", Value::String(before)) => {
                    let after = action.text_of("board", "desc").unwrap_or(&self.description);
                    did.push(Did::BoardDescribed(fit::description(after, "board", &mut self.skipped)));
                    self.description = fit::description(before, "board", &mut self.skipped);
                }
                ("closed", Value::Bool(before)) => {
                    let after = action.value_of("board", "closed").and_then(Value::as_bool);
                    did.push(Did::BoardClosed(after.unwrap_or(!before)));
                    self.closed = *before;
                }
                (field, _) => self.no_counterpart(action, field),
            }
        }
        did
    }

    fn undo_list(&mut self, action: &Action) -> Vec<Did> {
        let Some(list) = action.list().and_then(|id| self.lists.get(id)).cloned() else {
            self.skip(action, "does not say which list");
            return vec![];
        };
        match action.kind.as_str() {
            "createList" | "moveListToBoard" => {
                self.lists_there.remove(&list.id);
                vec![Did::ListCreated(list)]
            }
            "moveListFromBoard" => {
                self.lists_there.insert(list.id.clone());
                vec![Did::ListRemoved { list: list.id }]
            }
            _ => self.undo_update_list(action, list),
        }
    }

    fn undo_update_list(&mut self, action: &Action, mut now: List) -> Vec<Did> {
        let Some(old) = action.old() else {
            self.skip(action, "does not say what changed");
            return vec![];
        };
        let mut did = Vec::new();
        for (field, before) in old {
            let list = now.id.clone();
            let after = action.value_of("list", field);
            match (field.as_str(), before) {
                ("name", Value::String(before)) => {
                    let name = after.and_then(Value::as_str).unwrap_or(&now.name);
                    did.push(Did::ListNamed { list, name: fit::name(name, "list", &mut self.skipped) });
                    now.name = fit::name(before, "list", &mut self.skipped);
                }
                ("pos", Value::Number(before)) => {
                    did.push(Did::ListMoved { list, pos: after.and_then(Value::as_f64).unwrap_or(now.pos) });
                    now.pos = before.as_f64().unwrap_or(now.pos);
                }
                ("closed", Value::Bool(before)) => {
                    let closed = after.and_then(Value::as_bool).unwrap_or(!before);
                    did.push(Did::ListClosed { list, closed });
                    now.closed = *before;
                }
                (field, _) => self.no_counterpart(action, field),
            }
        }
        self.lists.insert(now.id.clone(), now);
        did
    }

    fn undo_label(&mut self, action: &Action) -> Vec<Did> {
        let Some(id) = action.id_of("label").map(str::to_owned) else {
            self.skip(action, "does not say which label");
            return vec![];
        };
        let mut now = self.meet_label(&id, action);
        match action.kind.as_str() {
            "createLabel" => {
                self.labels_there.remove(&id);
                vec![Did::LabelCreated(now)]
            }
            "deleteLabel" => {
                self.labels_there.insert(id.clone());
                vec![Did::LabelRemoved(id)]
            }
            _ => {
                let name = action.text_of("label", "name").unwrap_or(&now.name);
                let name = fit::label_name(name, &mut self.skipped);
                let color = action.text_of("label", "color").map_or_else(|| now.color.clone(), |c| fit::color(Some(c)));
                let after = Label { id: id.clone(), name, color };
                if let Some(name) = action.old().and_then(|old| old.get("name")).and_then(Value::as_str) {
                    now.name = fit::label_name(name, &mut self.skipped);
                }
                if let Some(color) = action.old().and_then(|old| old.get("color")) {
                    now.color = fit::color(color.as_str());
                }
                self.labels.insert(id, now);
                vec![Did::LabelChanged(after)]
            }
        }
    }

    /// A label by the id an action gives, made up from what the action says when the board has none such.
    pub(super) fn meet_label(&mut self, id: &str, action: &Action) -> Label {
        if let Some(label) = self.labels.get(id) {
            return label.clone();
        }
        let named = action.data.get("label");
        let name = named.and_then(|l| text(l, "name")).unwrap_or_default();
        let name = fit::label_name(name, &mut self.skipped);
        let label = Label { id: id.to_owned(), name, color: fit::color(named.and_then(|l| text(l, "color"))) };
        self.labels.insert(id.to_owned(), label.clone());
        self.labels_there.insert(id.to_owned());
        label
    }

    pub(super) fn no_counterpart(&mut self, action: &Action, field: &str) {
        // The name comes from the file: short enough for a reason.
        let field: String = field.chars().filter(|c| c.is_alphanumeric()).take(40).collect();
        self.skipped.add(&action.kind, format!("changes `{field}`, which has no counterpart"));
    }
}
