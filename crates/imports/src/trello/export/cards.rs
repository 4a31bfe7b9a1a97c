//! Cards of the file, with their labels, checklists and comments.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use taskfold_domain::limits::{
    ASSIGNEES_PER_TASK, CHECKLISTS_PER_TASK, ITEMS_PER_CHECKLIST, LABELS_PER_PROJECT, LABELS_PER_TASK,
};

use super::{Export, array, flag, position};
use crate::trello::action::text;
use crate::trello::fit;
use crate::trello::snapshot::{Card, Checklist, Comment, Item, Label};

impl Export {
    pub(super) fn read_cards(&mut self, document: &Value) {
        self.read_labels(document);
        let checklists = Checklists::new(array(document, "checklists"));
        let mut comments = self.comments();
        let mut seen = HashSet::new();
        for (index, card) in array(document, "cards").iter().enumerate() {
            let Some(id) = text(card, "id") else {
                self.skipped.add("card", "has no id");
                continue;
            };
            if !seen.insert(id) {
                self.skipped.add("card", "duplicate id: the first one is imported");
                continue;
            }
            let read = Card {
                id: id.to_owned(),
                list: self.list_of(card),
                index,
                pos: position(card, index),
                name: fit::name(text(card, "name").unwrap_or_default(), "card", &mut self.skipped),
                description: fit::description(text(card, "desc").unwrap_or_default(), "card", &mut self.skipped),
                closed: flag(card, "closed"),
                due: self.time(card, "due"),
                start: self.time(card, "start"),
                labels: self.labels_of(card),
                members: self.members_of(card),
                checklists: self.checklists_of(card, id, &checklists),
                comments: comments.remove(id).unwrap_or_default(),
            };
            self.count_unsupported_parts(card, &read);
            self.last_activity = self.last_activity.max(card.get("dateLastActivity").and_then(fit::time));
            self.snapshot.cards.push(read);
        }
    }

    fn list_of(&mut self, card: &Value) -> String {
        let Some(list) = text(card, "idList") else {
            self.skipped.add("card", "names no list: moved to the first list");
            if self.snapshot.lists.is_empty() {
                self.missing_list("missing");
            }
            return self.snapshot.ordered_lists().first().map(|l| l.id.clone()).unwrap_or_default();
        };
        if !self.snapshot.lists.iter().any(|l| l.id == list) {
            self.missing_list(list);
        }
        list.to_owned()
    }

    fn time(&mut self, card: &Value, key: &str) -> Option<taskfold_domain::Timestamp> {
        let value = card.get(key).filter(|v| !v.is_null())?;
        let time = fit::time(value);
        if time.is_none() {
            self.skipped.add("card", format!("`{key}` is not a readable time"));
        }
        time
    }

    fn read_labels(&mut self, document: &Value) {
        let mut seen = HashSet::new();
        for label in array(document, "labels") {
            let Some(id) = text(label, "id") else {
                self.skipped.add("label", "has no id");
                continue;
            };
            if seen.insert(id) {
                self.add_label(id, text(label, "name"), text(label, "color"));
            }
        }
        // Exports of 2011 have no labels, only the names of colors.
        if document.get("labels").is_none()
            && let Some(names) = document.get("labelNames").and_then(Value::as_object)
        {
            for (color, name) in names {
                if let Some(name) = name.as_str().filter(|n| !n.is_empty()) {
                    self.add_label(&color_label_id(color, name), Some(name), Some(color));
                }
            }
        }
    }

    fn add_label(&mut self, id: &str, name: Option<&str>, color: Option<&str>) -> bool {
        if self.snapshot.labels.len() >= LABELS_PER_PROJECT {
            self.skipped.add("label", format!("a project has at most {LABELS_PER_PROJECT} labels"));
            return false;
        }
        let name = fit::label_name(name.unwrap_or_default(), &mut self.skipped);
        self.snapshot.labels.push(Label { id: id.to_owned(), name, color: fit::color(color) });
        true
    }

    fn labels_of(&mut self, card: &Value) -> Vec<String> {
        let wanted = array(card, "idLabels");
        let known = |id: &&str| self.snapshot.labels.iter().any(|l| l.id == *id);
        let mut ids: Vec<String> = wanted.iter().filter_map(Value::as_str).filter(known).map(str::to_owned).collect();
        for label in array(card, "labels") {
            let (name, color) = (text(label, "name"), text(label, "color"));
            let id = text(label, "id").map_or_else(
                || {
                    self.same_label(name, color)
                        .unwrap_or_else(|| color_label_id(color.unwrap_or(""), name.unwrap_or("")))
                },
                str::to_owned,
            );
            if self.snapshot.labels.iter().any(|l| l.id == id) || self.add_label(&id, name, color) {
                ids.push(id);
            }
        }
        let missing =
            wanted.iter().filter(|id| id.as_str().is_none_or(|id| !ids.iter().any(|known| known == id))).count();
        self.skipped.add_many("card", "has a label that is not on the board", missing);
        distinct(&mut ids);
        self.truncate(&mut ids, LABELS_PER_TASK, "labels");
        ids
    }

    fn same_label(&self, name: Option<&str>, color: Option<&str>) -> Option<String> {
        let color = fit::color(color);
        let found = self.snapshot.labels.iter().find(|l| l.name == name.unwrap_or_default() && l.color == color);
        found.map(|l| l.id.clone())
    }

    fn members_of(&mut self, card: &Value) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for id in array(card, "idMembers") {
            match id.as_str().filter(|id| !id.is_empty()) {
                Some(id) => {
                    self.people.entry(id.to_owned()).or_default();
                    ids.push(id.to_owned());
                }
                None => self.skipped.add("card", "has a member without an id"),
            }
        }
        distinct(&mut ids);
        self.truncate(&mut ids, ASSIGNEES_PER_TASK, "members");
        ids
    }

    fn truncate<T>(&mut self, items: &mut Vec<T>, max: usize, what: &str) {
        self.skipped.add_many(
            "card",
            format!("has more than {max} {what}: the first {max} are imported"),
            items.len().saturating_sub(max),
        );
        items.truncate(max);
    }

    /// Checklists of a card: those that name the card, those that the card names, and those inside the card.
    fn checklists_of(&mut self, card: &Value, card_id: &str, all: &Checklists<'_>) -> Vec<Checklist> {
        let naming = all.by_card.get(card_id).into_iter().flatten().copied();
        let named = array(card, "idChecklists").iter().filter_map(|id| all.by_id.get(id.as_str()?).copied());
        let named = named.filter(|c| text(c, "idCard").is_none_or(|id| id == card_id));
        let mut found: Vec<&Value> = naming.chain(named).chain(array(card, "checklists")).collect();
        found.sort_by(|a, b| position(a, 0).total_cmp(&position(b, 0)));
        let mut seen = HashSet::new();
        let mut items_seen = HashSet::new();
        let mut checklists = Vec::new();
        for checklist in found {
            let Some(id) = text(checklist, "id") else {
                self.skipped.add("checklist", "has no id");
                continue;
            };
            if seen.insert(id) {
                let name = fit::name(text(checklist, "name").unwrap_or_default(), "checklist", &mut self.skipped);
                let items = self.items_of(checklist, &mut items_seen);
                checklists.push(Checklist { id: id.to_owned(), name, items });
            }
        }
        self.truncate(&mut checklists, CHECKLISTS_PER_TASK, "checklists");
        checklists
    }

    fn items_of(&mut self, checklist: &Value, seen: &mut HashSet<String>) -> Vec<Item> {
        let mut raw: Vec<(usize, &Value)> = array(checklist, "checkItems").iter().enumerate().collect();
        raw.sort_by(|a, b| position(a.1, a.0).total_cmp(&position(b.1, b.0)));
        let mut items = Vec::new();
        for (_, item) in raw {
            let Some(id) = text(item, "id") else {
                self.skipped.add("checkItem", "has no id");
                continue;
            };
            if !seen.insert(id.to_owned()) {
                self.skipped.add("checkItem", "duplicate id: the first one is imported");
                continue;
            }
            let name = fit::item(text(item, "name").unwrap_or_default(), &mut self.skipped);
            if name.is_none() {
                self.skipped.add("checkItem", format!("has no name: imported as {}", fit::UNTITLED));
            }
            items.push(Item {
                id: id.to_owned(),
                name: name.unwrap_or_else(|| fit::UNTITLED.to_owned()),
                done: text(item, "state") == Some("complete"),
            });
        }
        self.truncate(&mut items, ITEMS_PER_CHECKLIST, "items in a checklist");
        items
    }

    /// Comments by card: those of the actions, with their last edits, without deleted ones.
    fn comments(&mut self) -> HashMap<String, Vec<Comment>> {
        let mut cards: HashMap<String, Vec<Comment>> = HashMap::new();
        let mut edits: HashMap<&str, &str> = HashMap::new();
        let mut deleted: HashSet<&str> = HashSet::new();
        for action in &self.actions {
            match (action.kind.as_str(), action.id_of("action")) {
                ("updateComment", Some(id)) => {
                    if let Some(text) = action.text_of("action", "text").or_else(|| text(&action.data, "text")) {
                        edits.insert(id, text);
                    }
                }
                ("deleteComment", Some(id)) => {
                    deleted.insert(id);
                }
                _ => {}
            }
        }
        for action in self.actions.iter().filter(|a| a.is_comment() && !deleted.contains(a.id.as_str())) {
            let (Some(card), Some(raw)) = (action.card(), text(&action.data, "text")) else { continue };
            let raw = edits.get(action.id.as_str()).copied().unwrap_or(raw);
            if let Some(text) = fit::comment(raw, &action.kind, &mut self.skipped) {
                let comment = Comment { id: action.id.clone(), author: action.author.clone(), at: action.at, text };
                cards.entry(card.to_owned()).or_default().push(comment);
            }
        }
        cards
    }

    /// Counts the parts of a card that have no counterpart in a task.
    fn count_unsupported_parts(&mut self, card: &Value, read: &Card) {
        self.skipped.add_many(
            "attachment",
            "the export contains links to attachments, not their contents",
            array(card, "attachments").len(),
        );
        self.skipped.add_many("vote", "has no counterpart", array(card, "idMembersVoted").len());
        self.skipped.add_many("sticker", "has no counterpart", array(card, "stickers").len());
        self.skipped.add_many("customFieldItem", "has no counterpart", array(card, "customFieldItems").len());
        self.skipped.add_many("pluginData", "has no counterpart", array(card, "pluginData").len());
        if flag(card, "dueComplete") {
            self.skipped
                .add("dueComplete", "a completed due date has no counterpart: the list decides whether a task is done");
        }
        let counted = card.get("badges").and_then(|b| b.get("comments")).and_then(Value::as_u64).unwrap_or(0);
        let counted = usize::try_from(counted).unwrap_or(0);
        let missing = counted.saturating_sub(read.comments.len());
        self.skipped.add_many("comment", "its text is not among the actions of the export", missing);
    }
}

/// Checklists of the board, indexed by card and by id.
struct Checklists<'a> {
    by_card: HashMap<&'a str, Vec<&'a Value>>,
    by_id: HashMap<&'a str, &'a Value>,
}

impl<'a> Checklists<'a> {
    fn new(all: &'a [Value]) -> Self {
        let mut found = Self { by_card: HashMap::new(), by_id: HashMap::new() };
        for checklist in all {
            if let Some(card) = text(checklist, "idCard") {
                found.by_card.entry(card).or_default().push(checklist);
            }
            if let Some(id) = text(checklist, "id") {
                found.by_id.entry(id).or_insert(checklist);
            }
        }
        found
    }
}

fn distinct(ids: &mut Vec<String>) {
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
}

/// Id of a label without an id, made from its color and its name.
pub fn color_label_id(color: &str, name: &str) -> String {
    format!("colour:{color}:{name}")
}
