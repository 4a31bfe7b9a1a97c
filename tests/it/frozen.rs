//! The JSON of every event type and version ever written. Today's reader must read old events, and an old reader
//! today's events: a line here is never changed, lines are only added.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use taskfold_domain::{ProjectEvent, TaskEvent, TeamEvent};

const WRITTEN: &str = include_str!("frozen.jsonl");

#[test]
fn every_frozen_event_is_read_and_written_unchanged() {
    let mut seen = std::collections::HashSet::new();
    for line in WRITTEN.lines() {
        let written: Value = serde_json::from_str(line).unwrap();
        let name = written["type"].as_str().unwrap().to_owned();
        let again = match name.split_once('.').unwrap().0 {
            "task" => again::<TaskEvent>(line),
            "project" => again::<ProjectEvent>(line),
            _ => again::<TeamEvent>(line),
        };
        assert_eq!(again, written);
        seen.insert(name);
    }
    for name in TaskEvent::TYPES.iter().chain(ProjectEvent::TYPES).chain(TeamEvent::TYPES) {
        assert!(seen.contains(*name), "freeze the JSON of {name}");
    }
}

fn again<E: DeserializeOwned + Serialize>(line: &str) -> Value {
    let event: E = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    serde_json::to_value(event).unwrap()
}

/// Names of fields whose texts are not written by people: ids, names of the system, digests.
const STRUCTURE: [&str; 17] = [
    "type",
    "id",
    "status",
    "priority",
    "rank",
    "category",
    "color",
    "wip_policy",
    "role",
    "content_type",
    "sha256",
    "emoji",
    "due_stage",
    "after",
    "mentions",
    "from",
    "to",
];

fn is_structure(name: &str) -> bool {
    STRUCTURE.contains(&name)
        || name.ends_with("_id")
        || name.ends_with("_ids")
        || name.ends_with("_at")
        || name.ends_with("_by")
        || name.ends_with("_since")
}

/// Collects texts outside of structural fields. `field`: the name of the field around `from` and `to`.
fn texts(value: &Value, field: &str, found: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() && !is_structure(field) => found.push(format!("{field}: {text}")),
        Value::Array(items) => items.iter().for_each(|item| texts(item, field, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                texts(value, if matches!(name.as_str(), "from" | "to") { field } else { name }, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_texts_of_every_event_are_stored_separately() {
    for line in WRITTEN.lines() {
        let (structure, words) = match line.split('"').nth(3).unwrap().split_once('.').unwrap().0 {
            "task" => apart::<TaskEvent>(line),
            "project" => apart::<ProjectEvent>(line),
            _ => apart::<TeamEvent>(line),
        };
        let mut found = Vec::new();
        texts(&serde_json::from_str(&structure).unwrap(), "", &mut found);
        assert_eq!(found, Vec::<String>::new(), "mark these as words, or name them as structure: {line}");
        let words: Vec<Option<String>> = words.into_iter().map(Some).collect();
        let whole: Value = serde_json::from_str(&taskfold_event_log::with_words(structure, &words)).unwrap();
        assert_eq!(whole, serde_json::from_str::<Value>(line).unwrap());
    }
}

fn apart<E: DeserializeOwned + Serialize>(line: &str) -> (String, Vec<String>) {
    let event: E = serde_json::from_str(line).unwrap();
    let (structure, words) = taskfold_domain::words::collect(|| serde_json::to_string(&event));
    (structure.unwrap(), words)
}
