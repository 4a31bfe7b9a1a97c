//! The JSON of every event ever written. A reader of today must read what was written then, and an old reader what is
//! written today: a line here is never changed, only added to.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use taskfold_domain::{ProjectEvent, TaskEvent, TeamEvent};

const WRITTEN: &str = include_str!("frozen.jsonl");

#[test]
fn every_event_ever_written_is_read_and_written_back_alike() {
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
