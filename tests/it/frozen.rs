//! The JSON of every event ever written. A reader of today must read what was written then, and an old reader what is
//! written today: a line here is never changed, only added to.

use serde_json::Value;
use taskfold_domain::{ProjectEvent, TaskEvent};

const WRITTEN: &str = include_str!("frozen.jsonl");

#[test]
fn every_event_ever_written_is_read_and_written_back_alike() {
    let mut seen = std::collections::HashSet::new();
    for line in WRITTEN.lines() {
        let written: Value = serde_json::from_str(line).unwrap();
        let name = written["type"].as_str().unwrap().to_owned();
        let again = if name.starts_with("task.") {
            serde_json::to_value(serde_json::from_str::<TaskEvent>(line).unwrap_or_else(|e| panic!("{name}: {e}")))
        } else {
            serde_json::to_value(serde_json::from_str::<ProjectEvent>(line).unwrap_or_else(|e| panic!("{name}: {e}")))
        };
        assert_eq!(again.unwrap(), written);
        seen.insert(name);
    }
    for name in TaskEvent::TYPES.iter().chain(ProjectEvent::TYPES) {
        assert!(seen.contains(*name), "freeze the JSON of {name}");
    }
}
