use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;
use taskfold_domain::{Role, Timestamp};

use super::action::{Action, text};
use super::fit;
use super::snapshot::{List, Snapshot};
use crate::skipped::Skipped;

/// Actions of the file.
mod actions;
/// Cards of the file with their labels, checklists and comments.
mod cards;

pub use cards::colour_id;

/// Why a JSON document is not a Trello board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotABoard {
    #[error("a Trello board's export is a JSON object")]
    NoObject,
    #[error("a Trello board's export has an `id`")]
    NoId,
    #[error("a Trello board's export has `lists` and `cards`")]
    NoLists,
}

/// A board's export, read as far as it can be read; the rest is counted.
#[derive(Clone, Debug, Default)]
pub struct Export {
    pub snapshot: Snapshot,
    pub people: BTreeMap<String, Person>,
    /// On the board now.
    pub members: BTreeSet<String>,
    /// Oldest first.
    pub actions: Vec<Action>,
    /// How many actions the file has, readable or not.
    pub total: usize,
    pub last_activity: Option<Timestamp>,
    pub skipped: Skipped,
    /// What actions call the lists they name.
    list_names: HashMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    pub username: Option<String>,
    pub full_name: Option<String>,
}

/// The board's id, when these parts of a document's top level are a board's.
pub fn board_id(id: Option<&Value>, has_lists: bool, has_cards: bool) -> Result<&str, NotABoard> {
    let id = id.and_then(Value::as_str).map(str::trim).filter(|id| !id.is_empty() && id.len() <= 100);
    let id = id.ok_or(NotABoard::NoId)?;
    if has_lists && has_cards { Ok(id) } else { Err(NotABoard::NoLists) }
}

impl Export {
    /// `document` as `parse::document` gives it.
    pub fn read(document: &Value) -> Result<Self, NotABoard> {
        let Value::Object(_) = document else { return Err(NotABoard::NoObject) };
        let is_list = |key: &str| document.get(key).is_some_and(Value::is_array);
        let id = board_id(document.get("id"), is_list("lists"), is_list("cards"))?;
        let mut export = Self::default();
        export.snapshot.board_id = id.replace('\0', "");
        export.read_board(document);
        export.read_people(document);
        export.read_actions(document);
        export.read_lists(document);
        export.read_cards(document);
        export.count_the_rest(document);
        export.note_people();
        export.read_roles(document);
        Ok(export)
    }

    /// What says how new this export is: its newest action.
    pub fn newest_action(&self) -> Option<(Timestamp, String)> {
        self.actions.last().map(|a| (a.at, a.id.clone()))
    }

    fn read_board(&mut self, document: &Value) {
        let board = &mut self.snapshot;
        board.name =
            fit::name(document.get("name").and_then(Value::as_str).unwrap_or_default(), "board", &mut self.skipped);
        let desc = document.get("desc").and_then(Value::as_str).unwrap_or_default();
        board.description = fit::description(desc, "board", &mut self.skipped);
        board.closed = flag(document, "closed");
        self.last_activity = document.get("dateLastActivity").and_then(fit::time);
    }

    fn read_people(&mut self, document: &Value) {
        for member in array(document, "members") {
            if let Some(id) = self.meet(member) {
                self.members.insert(id);
            }
        }
        for membership in array(document, "memberships") {
            if let Some(id) = text(membership, "idMember") {
                self.members.insert(id.to_owned());
                self.people.entry(id.to_owned()).or_default();
            }
        }
    }

    /// Notes a person the file speaks of, with the best names known.
    fn meet(&mut self, member: &Value) -> Option<String> {
        let id = text(member, "id")?.to_owned();
        let person = self.people.entry(id.clone()).or_default();
        let known = |key: &str| text(member, key).map(|t| t.replace('\0', ""));
        person.username = person.username.take().or_else(|| known("username"));
        person.full_name = person.full_name.take().or_else(|| known("fullName")).or_else(|| known("name"));
        Some(id)
    }

    fn read_lists(&mut self, document: &Value) {
        for action in &self.actions {
            for thing in ["list", "listAfter", "listBefore"] {
                if let (Some(id), Some(name)) = (action.id_of(thing), action.text_of(thing, "name")) {
                    self.list_names.insert(id.to_owned(), name.to_owned());
                }
            }
        }
        let mut seen = HashSet::new();
        for (index, list) in array(document, "lists").iter().enumerate() {
            let Some(id) = text(list, "id") else {
                self.skipped.add("list", "has no id");
                continue;
            };
            if !seen.insert(id) {
                self.skipped.add("list", "the same id twice: the first one counts");
                continue;
            }
            self.snapshot.lists.push(List {
                id: id.to_owned(),
                name: fit::name(text(list, "name").unwrap_or_default(), "list", &mut self.skipped),
                pos: position(list, index),
                closed: flag(list, "closed"),
            });
        }
    }

    /// Makes a list that cards stand in, but which the file does not have.
    fn missing_list(&mut self, id: &str) {
        let named = self.list_names.get(id);
        let last = self.snapshot.lists.iter().map(|l| l.pos).fold(0.0, f64::max);
        self.skipped.add("list", "not among the export's lists: made from the cards in it");
        let list = List {
            id: id.to_owned(),
            name: fit::name(named.map_or("More", String::as_str), "list", &mut self.skipped),
            pos: last + 65_536.0,
            // Partial exports leave out archived lists.
            closed: !self.snapshot.lists.is_empty(),
        };
        self.snapshot.lists.push(list);
    }

    fn note_people(&mut self) {
        let mut people = self.members.clone();
        people.extend(self.actions.iter().filter_map(|a| a.author.clone()));
        people.extend(self.snapshot.cards.iter().flat_map(|c| c.members.iter().cloned()));
        self.snapshot.people = people.into_iter().collect();
    }

    /// As they are now: an admin is an admin, and an observer a viewer. Whoever has done something must be able to do it here.
    fn read_roles(&mut self, document: &Value) {
        let authors: HashSet<&str> = self.actions.iter().filter_map(|a| a.author.as_deref()).collect();
        let (mut roles, mut active_observers) = (BTreeMap::new(), 0);
        for membership in array(document, "memberships") {
            let Some(id) = text(membership, "idMember") else { continue };
            match text(membership, "memberType") {
                Some("admin") => _ = roles.insert(id.to_owned(), Role::Admin),
                Some("observer") if authors.contains(id) => active_observers += 1,
                Some("observer") => _ = roles.insert(id.to_owned(), Role::Viewer),
                _ => {}
            }
        }
        self.skipped.add_many("observer", "is a member, being the author of what is imported", active_observers);
        self.snapshot.roles = roles;
    }

    /// Things a board has that a project has no place for.
    fn count_the_rest(&mut self, document: &Value) {
        for (key, kind) in [
            ("customFields", "customField"),
            ("pluginData", "pluginData"),
            ("powerUps", "powerUp"),
            ("invitations", "invitation"),
        ] {
            self.skipped.add_many(kind, "has no counterpart", array(document, key).len());
        }
    }
}

pub(super) fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn flag(value: &Value, key: &str) -> bool {
    match value.get(key) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}

/// A position number; things without one keep the order of the file, behind the others.
pub(super) fn position(value: &Value, index: usize) -> f64 {
    let number = match value.get("pos") {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    let behind = 1e15 + f64::from(u32::try_from(index).unwrap_or(u32::MAX));
    number.filter(|n| n.is_finite()).unwrap_or(behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn other_json_is_no_board() {
        for (document, why) in [
            (json!([]), NotABoard::NoObject),
            (json!("x"), NotABoard::NoObject),
            (json!({}), NotABoard::NoId),
            (json!({"id": 7, "lists": [], "cards": []}), NotABoard::NoId),
            (json!({"id": "a", "lists": {}, "cards": []}), NotABoard::NoLists),
        ] {
            assert_eq!(Export::read(&document).map(|_| ()), Err(why), "{document}");
        }
    }

    #[test]
    fn people_have_the_roles_that_they_had_and_authors_can_be_so() {
        let member = |id: &str, kind: &str| json!({"idMember": id, "memberType": kind});
        let export = Export::read(&json!({
            "id": "b", "lists": [], "cards": [],
            "memberships": [member("a", "admin"), member("n", "normal"), member("o", "observer"), member("w", "observer"), 7],
            "actions": [{"id": "1", "type": "updateBoard", "date": "2020-01-01T00:00:00.000Z", "idMemberCreator": "w", "data": {}}],
        }))
        .unwrap_or_default();
        let role = |id: &str| export.snapshot.role(id);
        assert_eq!(
            (role("a"), role("n"), role("o"), role("w")),
            (Role::Admin, Role::Member, Role::Viewer, Role::Member)
        );
        assert!(export.skipped.list().iter().any(|skipped| skipped.kind == "observer"), "{:?}", export.skipped.list());
    }

    #[test]
    fn odd_values_are_counted_not_fatal() {
        let export = Export::read(&json!({
            "id": "b", "name": 5, "desc": null, "closed": "yes", "members": [null, {"id": ""}, {"id": "m"}],
            "lists": [{"id": "l", "name": "", "pos": "x"}, {"id": "l"}, 7, {"name": "no id"}],
            "cards": [{"id": "c", "idList": "gone", "idMembers": "m", "idLabels": [1, "nope"], "labels": {}},
                      {"id": "c"}, [], {"id": "d", "name": "x".repeat(600), "due": "soon", "pos": -1}],
            "actions": [{"id": "a", "date": "never"}, {"type": "createCard"}, null, {"id": 3}],
            "checklists": [{"id": "k", "idCard": "c", "checkItems": [{"id": "i", "name": null}, {}, 5]}],
            "labels": "none",
        }));
        let export = export.unwrap_or_default();
        assert_eq!(export.snapshot.name, fit::UNTITLED);
        assert_eq!(export.snapshot.cards.len(), 2);
        assert_eq!(export.snapshot.lists.len(), 2, "one of them made for the card that names it");
        assert_eq!(export.total, 4);
        assert!(export.actions.is_empty());
        assert!(export.skipped.list().len() >= 10, "{:?}", export.skipped.list());
    }
}
