//! Actions of the file.

use std::collections::HashSet;

use serde_json::Value;
use uuid::Uuid;

use super::{Export, array};
use crate::trello::action::{Action, text};
use crate::trello::fit;

impl Export {
    pub(super) fn read_actions(&mut self, document: &Value) {
        let raw = array(document, "actions");
        self.total = raw.len();
        let mut seen = HashSet::new();
        for value in raw {
            if !value.is_object() {
                self.skipped.add("action", "is not an object");
                continue;
            }
            let Some(kind) = text(value, "type") else {
                self.skipped.add("action", "has no type");
                continue;
            };
            let id = text(value, "id").map_or_else(|| content_id(value), |id| id.replace('\0', ""));
            let Some(at) = value.get("date").and_then(fit::time).or_else(|| fit::time_of_id(&id)) else {
                self.skipped.add(kind, "has no readable date");
                continue;
            };
            if !seen.insert(id.clone()) {
                self.skipped.add(kind, "duplicate of another action");
                continue;
            }
            let creator = value.get("memberCreator").and_then(|m| self.note_person(m));
            let author = text(value, "idMemberCreator").map(str::to_owned).or(creator);
            if let Some(author) = &author {
                self.people.entry(author.clone()).or_default();
            }
            let member = value.get("member").and_then(|m| self.note_person(m));
            let action = Action {
                id,
                at,
                kind: kind.to_owned(),
                author,
                member,
                data: value.get("data").cloned().unwrap_or_default(),
            };
            if let Some(inner) = action.data.get("member") {
                self.note_person(inner);
            }
            if let Some(about) = action.about() {
                self.people.entry(about.to_owned()).or_default();
            }
            self.actions.push(action);
        }
        self.actions.sort_by(|a, b| a.key().cmp(&b.key()));
    }
}

/// Id of an action without one: the same for the same content.
fn content_id(value: &Value) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, value.to_string().as_bytes()).to_string()
}
