//! Given events, then rows: what the tests of the read models have in common.

use std::fmt::Debug;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use taskfold_event_log::LoggedEvent;
use uuid::Uuid;

use crate::decoded::Decoded;
use crate::row::Row;
use crate::rows::Rows;
use crate::tables::Tables;

pub const PROJECT: Uuid = Uuid::from_u128(2);
/// Actor of events that name no author of their own.
pub const ACTOR: Uuid = Uuid::from_u128(3);
pub const TASK: Uuid = Uuid::from_u128(4);
pub const TEAM: Uuid = Uuid::from_u128(4);
pub const ANA: Uuid = Uuid::from_u128(11);
pub const BEN: Uuid = Uuid::from_u128(12);

pub fn at(position: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(position)
}

/// An event at a position, as `{"type": ..., "changes": ...}`; `actor` and `recorded_after` (days) may be added.
pub fn logged(position: i64, event: &Value) -> LoggedEvent {
    let event_type = event["type"].as_str().unwrap_or_default().to_owned();
    let kind = event_type.split('.').next().unwrap_or_default().to_owned();
    // As in every log, the author of a comment is the actor.
    let author = event["changes"]["comment"]["to"]["author_id"].as_str();
    let actor = event["actor"].as_str().or(author).and_then(|id| id.parse().ok());
    let delay = TimeDelta::days(event["recorded_after"].as_i64().unwrap_or(0));
    LoggedEvent {
        position,
        aggregate_id: if kind == "project" { PROJECT } else { Uuid::from_u128(kind.len() as u128) }.to_string(),
        project_id: (kind != "team").then_some(PROJECT),
        aggregate_type: kind,
        sequence: position,
        event_version: "1".to_owned(),
        payload: json!({"type": event["type"], "changes": event["changes"]}).to_string(),
        event_type,
        actor_id: actor.unwrap_or(ACTOR),
        command_id: Uuid::from_u128(4),
        occurred_at: at(position),
        recorded_at: at(position) + delay,
        traceparent: None,
    }
}

pub fn digest(rows: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, rows.as_bytes()).to_string()
}

/// Tables after these events, at positions from 1.
pub fn given(events: &[Value]) -> Tables {
    let mut tables = Tables::default();
    for (position, event) in (1..).zip(events) {
        applied(&mut tables, position, event).unwrap_or_else(|reason| panic!("{event}: {reason}"));
    }
    tables
}

pub fn applied(tables: &mut Tables, position: i64, event: &Value) -> Result<(), String> {
    let logged = logged(position, event);
    let decoded = Decoded::new(&logged).map_err(|e| e.to_string())?;
    tables.apply(&decoded).map_err(|e| e.to_string())
}

/// Compares the rows of a table, in the order of their keys, with the columns that are named of each.
#[track_caller]
pub fn then<R: Row + Debug>(rows: &Rows<R>, expected: &[Value]) {
    let mut sorted: Vec<&R> = rows.iter().map(|(_, row)| row).collect();
    sorted.sort_by_key(|row| row.key());
    assert_eq!(sorted.len(), expected.len(), "{sorted:#?}");
    for (row, expected) in sorted.into_iter().zip(expected) {
        let row = serde_json::to_value(row).unwrap_or_default();
        for (column, value) in expected.as_object().into_iter().flatten() {
            assert_eq!(&row[column], value, "{column} of {row:#}");
        }
    }
}

/// An event of a task, project or team.
pub fn event(name: &str, changes: Value) -> Value {
    json!({"type": name, "changes": changes})
}

/// The same event by another actor.
pub fn by(actor: Uuid, mut event: Value) -> Value {
    event["actor"] = json!(actor);
    event
}

pub fn from_to(from: Value, to: Value) -> Value {
    json!({"from": from, "to": to})
}

pub fn added(to: Value) -> Value {
    from_to(Value::Null, to)
}

pub fn removed(from: Value) -> Value {
    from_to(from, Value::Null)
}

pub fn task_created() -> Value {
    task_assigned_to(&[])
}

pub fn task_assigned_to(assignees: &[Uuid]) -> Value {
    event(
        "task.created",
        json!({
            "project_id": added(json!(PROJECT)), "title": added(json!("T")), "description": added(json!("")),
            "status": added(json!("todo")), "column_id": added(json!(Uuid::from_u128(21))), "rank": added(json!("a1")),
            "priority": added(json!("none")), "assignee_ids": added(json!(assignees)), "label_ids": added(json!([])),
            "start_at": added(Value::Null), "due_at": added(Value::Null), "estimate_minutes": added(Value::Null),
            "parent_id": added(Value::Null),
        }),
    )
}

/// A project that ACTOR owns, with one column.
pub fn project_created() -> Value {
    event(
        "project.created",
        json!({
            "id": added(json!(PROJECT)), "name": added(json!("P")), "description": added(json!("")),
            "columns": added(json!([column(json!({}))])),
            "members": added(json!([{"user_id": ACTOR, "role": "owner"}])),
        }),
    )
}

/// A column, but for these fields.
pub fn column(fields: Value) -> Value {
    let mut column = json!({
        "id": Uuid::from_u128(21), "name": "To do", "category": "todo", "wip_limit": null, "wip_policy": "advisory",
        "rank": "a1", "archived": false,
    });
    for (name, value) in fields.as_object().into_iter().flatten() {
        column[name] = value.clone();
    }
    column
}

/// A team of ACTOR, who owns it, and ANA.
pub fn team_created() -> Value {
    let members = json!([{"user_id": ACTOR, "role": "owner"}, {"user_id": ANA, "role": "member"}]);
    event("team.created", json!({"id": added(json!(TEAM)), "name": added(json!("D")), "members": added(members)}))
}
