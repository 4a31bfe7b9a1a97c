//! Given events, then rows of notifications.

use serde_json::{Value, json};
use uuid::Uuid;

use super::WatcherHistory;
use crate::read_models::ProjectRow;
use crate::tables::Tables;
use crate::testing::{
    ACTOR, ANA, BEN, PROJECT, TASK, added, applied, at, by, event, from_to, given, project_created, removed,
    task_assigned_to, task_created,
};

/// Watches the project.
const CIA: Uuid = Uuid::from_u128(13);
const COMMENT: Uuid = Uuid::from_u128(41);

/// A name, events, and the notifications of the last of them.
type Case<'a> = (&'a str, Vec<Value>, Vec<(Uuid, &'a str)>);

/// Notifications at the highest position that has any: who, and why.
fn notified(tables: &Tables) -> Vec<(Uuid, String)> {
    let rows = tables.notifications.iter().map(|(_, row)| row);
    let last = tables.notifications.iter().map(|(_, row)| row.position).max();
    let last = rows.filter(|row| Some(row.position) == last);
    let mut all: Vec<_> = last.map(|row| (row.user_id, row.kind.as_str().to_owned())).collect();
    all.sort();
    all
}

fn watched() -> Value {
    event("project.watched", json!({"watcher": added(json!({"user_id": CIA}))}))
}

fn commented(author: Uuid, mentions: &[Uuid]) -> Value {
    let comment = json!({"id": COMMENT, "author_id": author, "text": "c", "mentions": mentions});
    event("task.commented", json!({"comment": added(comment)}))
}

/// A project that CIA watches, with a task of ACTOR that is assigned to ANA; then the case's events.
#[test]
fn each_person_is_notified_once_for_the_most_specific_reason() {
    let assigned =
        |from: &[Uuid], to: &[Uuid]| event("task.assigned", json!({"assignee_ids": from_to(json!(from), json!(to))}));
    let body = |mentions: &[Uuid]| json!({"id": COMMENT, "text": "c", "mentions": mentions});
    let edited =
        |from: &[Uuid], to: &[Uuid]| event("task.comment_edited", json!({"comment": from_to(body(from), body(to))}));
    let completed = || event("task.completed", json!({"status": from_to(json!("todo"), json!("completed"))}));
    let due =
        |name: &str, to: &str| by(Uuid::nil(), event(name, json!({"due_stage": from_to(Value::Null, json!(to))})));
    let unwatched = |user: Uuid| event("task.unwatched", json!({"watcher": removed(json!({"user_id": user}))}));
    let cases: Vec<Case<'_>> = vec![
        ("creation", vec![], vec![(ANA, "assigned"), (CIA, "created")]),
        ("assignment", vec![assigned(&[ANA], &[ANA, BEN])], vec![(BEN, "assigned")]),
        (
            "to oneself",
            vec![by(BEN, assigned(&[ANA], &[ANA, BEN])), completed()],
            vec![(ANA, "completed"), (BEN, "completed"), (CIA, "completed")],
        ),
        ("comment", vec![commented(BEN, &[])], vec![(ACTOR, "commented"), (ANA, "commented"), (CIA, "commented")]),
        (
            "mention",
            vec![commented(ACTOR, &[ANA, BEN])],
            vec![(ANA, "mentioned"), (BEN, "mentioned"), (CIA, "commented")],
        ),
        (
            "another mention",
            vec![commented(ACTOR, &[BEN]), by(ACTOR, edited(&[BEN], &[BEN, ANA]))],
            vec![(ANA, "mentioned")],
        ),
        ("completion", vec![by(ANA, completed())], vec![(ACTOR, "completed"), (CIA, "completed")]),
        ("unwatched", vec![unwatched(ANA), by(BEN, completed())], vec![(ACTOR, "completed"), (CIA, "completed")]),
        (
            "unwatched, then commented",
            vec![unwatched(ANA), commented(ANA, &[]), completed()],
            vec![(ANA, "completed"), (CIA, "completed")],
        ),
        ("due soon", vec![due("task.due_soon", "due_soon")], vec![(ACTOR, "due_soon"), (ANA, "due_soon")]),
        ("overdue", vec![due("task.overdue", "overdue")], vec![(ACTOR, "overdue"), (ANA, "overdue")]),
    ];
    for (case, events, expected) in cases {
        let tables = given(&[vec![project_created(), watched(), task_assigned_to(&[ANA])], events].concat());
        let expected: Vec<_> = expected.into_iter().map(|(user, kind)| (user, kind.to_owned())).collect();
        assert_eq!(notified(&tables), expected, "{case}");
    }
}

#[test]
fn a_notification_names_its_event_and_its_actor() {
    let tables = given(&[project_created(), task_created(), commented(ANA, &[])]);
    crate::testing::then(
        &tables.notifications,
        &[json!({
            "user_id": ACTOR, "position": 3, "kind": "commented", "project_id": PROJECT, "task_id": TASK,
            "comment_id": COMMENT, "actor_id": ANA, "occurred_at": at(3),
        })],
    );
}

#[test]
fn imported_history_notifies_nobody() {
    let mut imported = task_assigned_to(&[ANA]);
    imported["recorded_after"] = json!(8);
    assert_eq!(notified(&given(&[project_created(), watched(), imported])), []);
}

#[test]
fn without_a_project_row_the_watchers_are_read_from_the_history() {
    let at_1 = given(&[project_created()]);
    let at_2 = given(&[project_created(), watched()]);
    let mut history = WatcherHistory::default();
    let rows =
        [at_1, at_2].map(|tables| tables.projects.iter().map(|(_, row)| row.clone()).collect::<Vec<ProjectRow>>());
    rows.iter().flatten().for_each(|row| history.add(row));
    let history = std::sync::Arc::new(WatcherHistory::of_all(vec![history]));
    for (position, expected) in [(1, vec![]), (2, vec![(CIA, "created".to_owned())])] {
        let mut tables = Tables { history: Some(std::sync::Arc::clone(&history)), ..Tables::default() };
        applied(&mut tables, position, &task_created()).unwrap();
        assert_eq!(notified(&tables), expected, "at {position}");
    }
}
