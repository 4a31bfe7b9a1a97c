//! Which version of the code wrote each read table. What another version has written is made anew from the log before anything is
//! projected into it: a table is never half of the one and half of the other.

use std::collections::BTreeMap;

use sqlx::PgPool;
use sqlx::types::Json;

use crate::{derived, tables};

/// By table.
pub type Versions = BTreeMap<String, i32>;

/// What the tables in the database are to this program.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    /// By this version.
    Current,
    /// These by an earlier one.
    Before(Vec<String>),
    /// These by a later one: this program must leave them alone.
    Later(Vec<String>),
}

/// Of this program.
pub fn ours() -> Versions {
    let all = tables::TABLES.iter().chain(derived::TABLES);
    all.map(|(table, _, version)| ((*table).to_owned(), *version)).collect()
}

/// Looks into the database.
pub async fn written(pool: &PgPool) -> sqlx::Result<Written> {
    let Json(stored) =
        sqlx::query_scalar::<_, Json<Versions>>("SELECT versions FROM projection_checkpoint").fetch_one(pool).await?;
    Ok(compare(&stored, &ours()))
}

fn compare(stored: &Versions, ours: &Versions) -> Written {
    let ahead = |a: &Versions, b: &Versions| -> Vec<String> {
        a.iter().filter(|(table, version)| b.get(*table) < Some(version)).map(|(table, _)| table.clone()).collect()
    };
    let (later, before) = (ahead(stored, ours), ahead(ours, stored));
    match (later.is_empty(), before.is_empty()) {
        (true, true) => Written::Current,
        (false, _) => Written::Later(later),
        (true, false) => Written::Before(before),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use serde_json::Value;
    use taskfold_event_log::LoggedEvent;
    use uuid::Uuid;

    use super::*;
    use crate::fold::Decoded;
    use crate::tables::Tables;

    /// What the rows of each table come to, with every event that was ever written. When this fails, the same events come to other rows
    /// than before: raise the VERSION of the table, so that it is rebuilt where the rows of before are, and write down the new line. (Only
    /// that, when an event was added to the frozen ones.)
    #[test]
    fn other_rows_are_another_version() {
        let frozen = [
            "attachments 1 5cd35771-36d2-5c5b-9c1b-c7d11b9ef7c6",
            "channel_events 1 da2a3b3e-31bb-5d38-abe2-cbc1bf9a39b1",
            "comments 1 111f7bbc-3ca1-5425-861f-8da6bbd61bbd",
            "notifications 1 2fd1301f-8ee6-536c-a1b6-8874b13a07d1",
            "past_project_members 1 a4344484-a08a-53db-882f-d92b3c47c7dd",
            "past_project_teams 1 04af4525-ccf1-534e-b5e3-aba7ce5fbcda",
            "past_team_members 1 20ffddd5-e069-53b2-b223-eb032eed91f5",
            "project_members 2 ec28c498-06fb-5c26-9545-f2b89dabd68e",
            "project_teams 2 f331fda1-84be-5063-a7f2-ec34733c2379",
            "projects 1 6f045769-e439-52c5-8475-fb5ecfa8354d",
            "tasks 2 6e79440a-de0a-5ef4-8b42-bb7ba135cbb3",
            "team_members 2 ca273f35-e6bf-5c0e-a60a-6229f0032d38",
            "teams 1 604decd1-079c-5cd8-9341-65aa2289e314",
        ];
        let mut tables = Tables::default();
        let mut history: BTreeMap<(&str, i32), String> = BTreeMap::new();
        for (position, line) in (1..).zip(include_str!("../../tests/it/frozen.jsonl").lines()) {
            let event = logged(position, line);
            let decoded = Decoded::new(&event).unwrap_or_else(|e| panic!("{line}: {e}"));
            // Not all have what they are about in these rows.
            let _ = tables.apply(&decoded);
            for (table, version, rows) in tables.dump() {
                history.entry((table, version)).or_default().push_str(&rows.join("\n"));
            }
        }
        let now: Vec<String> = history
            .into_iter()
            .map(|((table, version), rows)| {
                assert!(!rows.is_empty(), "{table} has no rows: freeze an event that comes to one");
                format!("{table} {version} {}", Uuid::new_v5(&Uuid::NAMESPACE_OID, rows.as_bytes()))
            })
            .collect();
        assert_eq!(now, frozen);
    }

    fn logged(position: i64, line: &str) -> LoggedEvent {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        let event_type = event["type"].as_str().unwrap_or_default().to_owned();
        let kind = event_type.split('.').next().unwrap_or_default().to_owned();
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(position);
        let project = Uuid::from_u128(2);
        LoggedEvent {
            position,
            aggregate_id: if kind == "project" { project } else { Uuid::from_u128(kind.len() as u128) }.to_string(),
            project_id: (kind != "team").then_some(project),
            aggregate_type: kind,
            sequence: position,
            event_version: "1".to_owned(),
            changes: Some(event["changes"].to_string()),
            event_type,
            actor_id: Uuid::from_u128(3),
            command_id: Uuid::from_u128(4),
            occurred_at: at,
            recorded_at: at,
            traceparent: None,
        }
    }

    #[test]
    fn what_is_missing_is_earlier_and_what_is_unknown_is_later() {
        let versions = |of: &[(&str, i32)]| of.iter().map(|(t, v)| ((*t).to_owned(), *v)).collect::<Versions>();
        let ours = versions(&[("a", 2), ("b", 1)]);
        assert_eq!(compare(&ours, &ours), Written::Current);
        assert_eq!(compare(&versions(&[("a", 1)]), &ours), Written::Before(vec!["a".into(), "b".into()]));
        assert_eq!(compare(&versions(&[("a", 3), ("b", 0)]), &ours), Written::Later(vec!["a".into()]));
        assert_eq!(compare(&versions(&[("a", 2), ("b", 1), ("c", 1)]), &ours), Written::Later(vec!["c".into()]));
    }
}
