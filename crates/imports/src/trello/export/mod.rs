//! The file: the current board, its people and its actions.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;
use taskfold_domain::{Role, Timestamp};

use super::action::{Action, text};
use super::fit;
use super::snapshot::{List, Snapshot};
use crate::skipped::Skipped;
use crate::source::InvalidUpload;

/// Actions of the file.
mod actions;
/// Cards of the file with their labels, checklists and comments.
mod cards;

pub use cards::color_label_id;

/// Limit of a board's id, in bytes.
const MAX_ID_BYTES: usize = 100;

const NO_OBJECT: InvalidUpload =
    InvalidUpload::NotABoard { pointer: "", detail: "must be an object, as in the export of a Trello board" };
const NO_ID: InvalidUpload =
    InvalidUpload::NotABoard { pointer: "/id", detail: "must be the id of a Trello board, as in its export" };
const NO_LISTS: InvalidUpload = InvalidUpload::NotABoard {
    pointer: "/lists",
    detail: "must be an array beside `cards`, as in the export of a Trello board",
};

/// The export of a board, as far as it can be read. The rest is counted in `skipped`.
#[derive(Clone, Debug, Default)]
pub struct Export {
    pub snapshot: Snapshot,
    /// Everybody whom the file mentions, by id.
    pub people: BTreeMap<String, Member>,
    /// Ids of the current members of the board.
    pub members: BTreeSet<String>,
    /// Oldest first.
    pub actions: Vec<Action>,
    /// Number of actions in the file, readable or not.
    pub total: usize,
    pub last_activity: Option<Timestamp>,
    pub skipped: Skipped,
    /// Names of lists, as actions state them.
    list_names: HashMap<String, String>,
}

/// The names of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    pub username: Option<String>,
    pub full_name: Option<String>,
}

/// Id of the board, if the top level of a document is that of a board.
pub fn board_id(id: Option<&Value>, has_lists: bool, has_cards: bool) -> Result<&str, InvalidUpload> {
    let id = id.and_then(Value::as_str).map(str::trim).filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES);
    let id = id.ok_or(NO_ID)?;
    if has_lists && has_cards { Ok(id) } else { Err(NO_LISTS) }
}

/// The top level of a document, which must be an object.
pub fn object(document: &Value) -> Result<&serde_json::Map<String, Value>, InvalidUpload> {
    document.as_object().ok_or(NO_OBJECT)
}

impl Export {
    /// Reads a document that [`super::parse::document`] has parsed.
    pub fn read(document: &Value) -> Result<Self, InvalidUpload> {
        object(document)?;
        let is_list = |key: &str| document.get(key).is_some_and(Value::is_array);
        let id = board_id(document.get("id"), is_list("lists"), is_list("cards"))?;
        let mut export = Self::default();
        export.snapshot.board_id = id.replace('\0', "");
        export.read_board(document);
        export.read_people(document);
        export.read_actions(document);
        export.read_lists(document);
        export.read_cards(document);
        export.count_unsupported(document);
        export.collect_people();
        export.read_roles(document);
        Ok(export)
    }

    /// Time and id of the newest action.
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
            if let Some(id) = self.note_person(member) {
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

    /// Adds a person, or the names that were missing so far.
    fn note_person(&mut self, member: &Value) -> Option<String> {
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
                self.skipped.add("list", "duplicate id: the first one is imported");
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

    /// Creates a list that cards name and that is not in the file.
    fn missing_list(&mut self, id: &str) {
        let named = self.list_names.get(id);
        let last = self.snapshot.lists.iter().map(|l| l.pos).fold(0.0, f64::max);
        self.skipped.add("list", "not among the lists of the export: created for its cards");
        let list = List {
            id: id.to_owned(),
            name: fit::name(named.map_or("More", String::as_str), "list", &mut self.skipped),
            pos: last + 65_536.0,
            // Exports may leave out archived lists.
            closed: !self.snapshot.lists.is_empty(),
        };
        self.snapshot.lists.push(list);
    }

    fn collect_people(&mut self) {
        let mut people = self.members.clone();
        people.extend(self.actions.iter().filter_map(|a| a.author.clone()));
        people.extend(self.snapshot.cards.iter().flat_map(|c| c.members.iter().cloned()));
        self.snapshot.people = people.into_iter().collect();
    }

    /// Reads the current roles: admins become admins, observers viewers. Authors of actions need at least the role
    /// member.
    fn read_roles(&mut self, document: &Value) {
        let authors: HashSet<&str> = self.actions.iter().filter_map(|a| a.author.as_deref()).collect();
        let (mut roles, mut active_observers) = (BTreeMap::new(), 0);
        for membership in array(document, "memberships") {
            let Some(id) = text(membership, "idMember") else { continue };
            match text(membership, "memberType") {
                Some("admin") => _ = roles.insert(id.to_owned(), Role::Admin),
                Some("observer") if authors.contains(id) => active_observers += 1,
                Some("observer") => _ = roles.insert(id.to_owned(), Role::Viewer),
                Some(_) | None => {}
            }
        }
        self.skipped.add_many("observer", "becomes a member, as the author of imported content", active_observers);
        self.snapshot.roles = roles;
    }

    /// Counts the parts of a board that have no counterpart in a project.
    fn count_unsupported(&mut self, document: &Value) {
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
        Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => false,
    }
}

/// Position of an object. Objects without one come last, in the order of the file.
pub(super) fn position(value: &Value, index: usize) -> f64 {
    let number = match value.get("pos") {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
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
        for (document, reason) in [
            (json!([]), NO_OBJECT),
            (json!("x"), NO_OBJECT),
            (json!({}), NO_ID),
            (json!({"id": 7, "lists": [], "cards": []}), NO_ID),
            (json!({"id": "a", "lists": {}, "cards": []}), NO_LISTS),
        ] {
            assert_eq!(Export::read(&document).map(|_| ()), Err(reason), "{document}");
        }
    }

    #[test]
    fn people_keep_their_roles_and_authors_are_members() {
        let member = |id: &str, kind: &str| json!({"idMember": id, "memberType": kind});
        let export = Export::read(&json!({
            "id": "b", "lists": [], "cards": [],
            "memberships": [
                member("a", "admin"), member("n", "normal"), member("o", "observer"), member("w", "observer"), 7],
            "actions": [{"id": "1", "type": "updateBoard", "date": "2020-01-01T00:00:00.000Z", "idMemberCreator": "w",
                         "data": {}}],
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
    fn unreadable_values_are_counted() {
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
        assert_eq!(export.snapshot.lists.len(), 2, "one of them was created for the card that names it");
        assert_eq!(export.total, 4);
        assert!(export.actions.is_empty());
        assert!(export.skipped.list().len() >= 10, "{:?}", export.skipped.list());
    }
}
