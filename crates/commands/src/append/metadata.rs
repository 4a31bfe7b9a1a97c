//! Metadata of events: what else of a command is needed to make the append's tables again, and to tell causes.

use std::collections::BTreeMap;

use super::Append;

/// JSON of an event's metadata, whose values are strings as postgres-es reads them. The first event of a command says
/// what the append writes beside it; every event names its correlation and its cause.
pub fn metadata(append: &Append, is_first: bool) -> String {
    let mut entries = BTreeMap::new();
    if is_first {
        let effects = &append.effects;
        entries.insert("fingerprint", hex::encode(&append.fingerprint));
        entries.extend(effects.created_id.map(|id| ("created_id", id.to_string())));
        entries.extend(effects.created.then(|| ("created", "true".to_owned())));
        // Microseconds since 1970.
        let due = |due: chrono::DateTime<chrono::Utc>| due.timestamp_micros().to_string();
        entries.extend(effects.reminder.map(|at| ("due", at.map_or_else(|| "none".to_owned(), due))));
    }
    entries.extend(append.correlation_id.map(|id| ("correlation_id", id.to_string())));
    entries.extend(append.causation_id.map(|id| ("causation_id", id.to_string())));
    serde_json::to_string(&entries).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use taskfold_domain::ids::UserId;
    use uuid::Uuid;

    use super::super::Effects;
    use super::*;

    #[test]
    fn the_first_event_has_all_metadata_and_the_others_only_the_cause() {
        let id = Uuid::from_u128(7);
        let append = Append {
            fingerprint: vec![1, 171],
            causation_id: Some(id),
            effects: Effects { created: true, reminder: Some(None), ..Effects::default() },
            ..Append::new("task", id, None, UserId(id), id)
        };
        let first = format!(r#"{{"causation_id":"{id}","created":"true","due":"none","fingerprint":"01ab"}}"#);
        assert_eq!(metadata(&append, true), first);
        assert_eq!(metadata(&append, false), format!(r#"{{"causation_id":"{id}"}}"#));
    }
}
