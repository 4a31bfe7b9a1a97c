//! Given events, then rows of tasks.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::testing::{
    ACTOR, ANA, BEN, PROJECT, TASK, added, applied, at, by, event, from_to, given, removed, task_assigned_to,
    task_created, then,
};

const LIST: Uuid = Uuid::from_u128(31);

fn item(id: u128, text: &str, after: Option<u128>) -> Value {
    json!({
        "checklist_id": LIST, "id": Uuid::from_u128(id), "text": text, "done": false,
        "after": after.map(Uuid::from_u128),
    })
}

fn step(name: &str, from: &str, to: &str) -> Value {
    event(name, json!({"status": from_to(json!(from), json!(to))}))
}

#[test]
fn a_new_task_has_its_fields_and_is_watched_by_its_creator_and_its_assignees() {
    then(
        &given(&[task_assigned_to(&[ANA, ACTOR])]).tasks,
        &[json!({
            "task_id": TASK, "project_id": PROJECT, "title": "T", "status": "todo", "priority": "none", "rank": "a1",
            "assignee_ids": [ANA, ACTOR], "watcher_ids": [ACTOR, ANA], "deleted": false, "archived": false,
            "comment_count": 0, "attachment_count": 0, "created_at": at(1), "created_by": ACTOR, "version": 1,
            "position": 1,
        })],
    );
}

/// Each case: events after the creation, and columns of the row after them.
#[test]
fn an_event_changes_the_fields_that_it_names() {
    let list = |title: &str, items: Value| json!({"id": LIST, "title": title, "items": items});
    let first = json!({"id": Uuid::from_u128(1), "text": "a", "done": false});
    let second = json!({"id": Uuid::from_u128(2), "text": "b", "done": false});
    let checklist = || event("task.checklist_added", json!({"checklist": added(list("L", json!([first])))}));
    let deletion = |from: Value, to: Value| {
        json!({
            "deleted": from_to(json!(!from.is_null()), json!(!to.is_null())),
            "deleted_at": from_to(from.clone(), to.clone()),
            "deleted_by": from_to(
                if from.is_null() { Value::Null } else { json!(ANA) },
                if to.is_null() { Value::Null } else { json!(ANA) },
            ),
        })
    };
    let due = |name: &str, from: Value, to: &str| event(name, json!({"due_stage": from_to(from, json!(to))}));
    let cases: Vec<(Vec<Value>, Value)> = vec![
        (vec![event("task.renamed", json!({"title": from_to(json!("T"), json!("U"))}))], json!({"title": "U"})),
        (
            vec![event("task.described", json!({"description": from_to(json!(""), json!("d"))}))],
            json!({"description": "d"}),
        ),
        (
            vec![event(
                "task.moved",
                json!({
                    "column_id": from_to(json!(Uuid::from_u128(21)), json!(Uuid::from_u128(22))),
                    "rank": from_to(json!("a1"), json!("a2")),
                }),
            )],
            json!({"column_id": Uuid::from_u128(22), "rank": "a2"}),
        ),
        (
            vec![event("task.moved", json!({"rank": from_to(json!("a1"), json!("a3"))}))],
            json!({"column_id": Uuid::from_u128(21), "rank": "a3"}),
        ),
        (
            vec![event("task.assigned", json!({"assignee_ids": from_to(json!([]), json!([ANA]))}))],
            json!({"assignee_ids": [ANA], "watcher_ids": [ACTOR, ANA], "assigned_watcher_ids": [ANA]}),
        ),
        (
            vec![
                event("task.assigned", json!({"assignee_ids": from_to(json!([]), json!([ANA]))})),
                event("task.unassigned", json!({"assignee_ids": from_to(json!([ANA]), json!([]))})),
            ],
            json!({"assignee_ids": [], "watcher_ids": [ACTOR], "assigned_watcher_ids": []}),
        ),
        (
            vec![
                event("task.labeled", json!({"label_ids": from_to(json!([]), json!([TASK, LIST]))})),
                event("task.unlabeled", json!({"label_ids": from_to(json!([TASK, LIST]), json!([LIST]))})),
            ],
            json!({"label_ids": [LIST]}),
        ),
        (
            vec![event("task.prioritized", json!({"priority": from_to(json!("none"), json!("high"))}))],
            json!({"priority": "high"}),
        ),
        (
            vec![event(
                "task.scheduled",
                json!({
                    "start_at": from_to(Value::Null, json!(at(7))), "due_at": from_to(Value::Null, json!(at(9))),
                }),
            )],
            json!({"start_at": at(7), "due_at": at(9)}),
        ),
        (
            vec![event("task.estimated", json!({"estimate_minutes": from_to(Value::Null, json!(30))}))],
            json!({"estimate_minutes": 30}),
        ),
        (
            vec![event(
                "task.started",
                json!({
                    "status": from_to(json!("todo"), json!("running")),
                    "running_since": from_to(Value::Null, json!(at(2))),
                }),
            )],
            json!({"status": "running", "running_since": at(2), "elapsed_ms": 0}),
        ),
        (
            vec![event(
                "task.paused",
                json!({
                    "status": from_to(json!("running"), json!("paused")),
                    "running_since": from_to(json!(at(2)), Value::Null), "elapsed_ms": from_to(json!(0), json!(1500)),
                }),
            )],
            json!({"status": "paused", "running_since": null, "elapsed_ms": 1500}),
        ),
        (vec![step("task.resumed", "paused", "running")], json!({"status": "running"})),
        (vec![step("task.completed", "todo", "completed")], json!({"status": "completed"})),
        (
            vec![event(
                "task.cancelled",
                json!({
                    "status": from_to(json!("todo"), json!("cancelled")), "reason": from_to(Value::Null, json!("why")),
                }),
            )],
            json!({"status": "cancelled", "reason": "why"}),
        ),
        (vec![step("task.failed", "running", "failed")], json!({"status": "failed"})),
        (vec![step("task.reopened", "failed", "todo")], json!({"status": "todo"})),
        (vec![event("task.progressed", json!({"progress": from_to(Value::Null, json!(40))}))], json!({"progress": 40})),
        (
            vec![event("task.archived", json!({"archived": from_to(json!(false), json!(true))}))],
            json!({"archived": true}),
        ),
        (
            vec![
                event("task.archived", json!({"archived": from_to(json!(false), json!(true))})),
                event("task.unarchived", json!({"archived": from_to(json!(true), json!(false))})),
            ],
            json!({"archived": false}),
        ),
        (
            vec![event("task.deleted", deletion(Value::Null, json!(at(2))))],
            json!({"deleted": true, "deleted_at": at(2), "deleted_by": ANA}),
        ),
        (
            vec![
                event("task.deleted", deletion(Value::Null, json!(at(2)))),
                event("task.restored", deletion(json!(at(2)), Value::Null)),
            ],
            json!({"deleted": false, "deleted_at": null, "deleted_by": null}),
        ),
        (vec![checklist()], json!({"checklists": [list("L", json!([first]))]})),
        (
            vec![
                checklist(),
                event(
                    "task.checklist_renamed",
                    json!({
                        "checklist": from_to(json!({"id": LIST, "title": "L"}), json!({"id": LIST, "title": "M"})),
                    }),
                ),
            ],
            json!({"checklists": [list("M", json!([first]))]}),
        ),
        (
            vec![
                checklist(),
                event("task.checklist_removed", json!({"checklist": removed(list("L", json!([first])))})),
            ],
            json!({"checklists": []}),
        ),
        (
            vec![checklist(), event("task.checklist_item_added", json!({"item": added(item(2, "b", Some(1)))}))],
            json!({"checklists": [list("L", json!([first, second]))]}),
        ),
        (
            vec![
                checklist(),
                event("task.checklist_item_added", json!({"item": added(item(2, "b", Some(1)))})),
                event(
                    "task.checklist_item_changed",
                    json!({
                        "item": from_to(item(2, "b", Some(1)), item(2, "b", None)),
                    }),
                ),
            ],
            json!({"checklists": [list("L", json!([second, first]))]}),
        ),
        (
            vec![checklist(), event("task.checklist_item_removed", json!({"item": removed(item(1, "a", None))}))],
            json!({"checklists": [list("L", json!([]))]}),
        ),
        (
            vec![event("task.reparented", json!({"parent_id": from_to(Value::Null, json!(LIST))}))],
            json!({"parent_id": LIST}),
        ),
        (
            vec![
                event("task.dependency_added", json!({"dependency_ids": from_to(json!([]), json!([LIST, PROJECT]))})),
                event(
                    "task.dependency_removed",
                    json!({
                        "dependency_ids": from_to(json!([LIST, PROJECT]), json!([PROJECT])),
                    }),
                ),
            ],
            json!({"dependency_ids": [PROJECT]}),
        ),
        (vec![due("task.due_soon", Value::Null, "due_soon")], json!({"due_stage": "due_soon"})),
        (
            vec![
                due("task.overdue", json!("due_soon"), "overdue"),
                event("task.scheduled", json!({"due_at": from_to(Value::Null, json!(at(9)))})),
            ],
            json!({"due_stage": null, "due_at": at(9)}),
        ),
    ];
    for (events, columns) in cases {
        let count = events.len() as i64 + 1;
        let tables = given(&[vec![task_created()], events].concat());
        let mut expected = json!({"version": count, "position": count, "updated_at": at(count), "created_at": at(1)});
        for (column, value) in columns.as_object().into_iter().flatten() {
            expected[column] = value.clone();
        }
        then(&tables.tasks, &[expected]);
    }
}

#[test]
fn comments_and_files_are_counted() {
    let comment = |id: u128| json!({"id": Uuid::from_u128(id), "author_id": ANA, "text": "c", "mentions": []});
    let file = |id: u128| {
        let (id, media_type) = (Uuid::from_u128(id), "text/plain");
        json!({"id": id, "author_id": ANA, "file_name": "f", "content_type": media_type, "size": 1, "sha256": "0"})
    };
    let mut events = vec![
        task_created(),
        event("task.commented", json!({"comment": added(comment(1))})),
        event("task.commented", json!({"comment": added(comment(2))})),
        event("task.attachment_added", json!({"attachment": added(file(3))})),
    ];
    then(&given(&events).tasks, &[json!({"comment_count": 2, "attachment_count": 1})]);
    events.push(event("task.comment_removed", json!({"comment": removed(comment(1))})));
    events.push(event("task.attachment_removed", json!({"attachment": removed(file(3))})));
    then(&given(&events).tasks, &[json!({"comment_count": 1, "attachment_count": 0, "version": 6})]);
}

#[test]
fn commenting_watches_a_task_again_after_unwatching() {
    let comment = json!({"id": TASK, "author_id": BEN, "text": "c", "mentions": []});
    let unwatched = || event("task.unwatched", json!({"watcher": removed(json!({"user_id": BEN}))}));
    let cases = [
        (event("task.watched", json!({"watcher": added(json!({"user_id": BEN}))})), json!([ACTOR, BEN])),
        (unwatched(), json!([ACTOR])),
        (event("task.commented", json!({"comment": added(comment)})), json!([ACTOR, BEN])),
        (unwatched(), json!([ACTOR])),
    ];
    let mut events = vec![task_created()];
    for (event, watchers) in cases {
        events.push(event);
        then(&given(&events).tasks, &[json!({"watcher_ids": watchers})]);
    }
}

#[test]
fn an_event_of_a_task_without_a_row_is_not_folded() {
    let mut tables = given(&[]);
    let renamed = by(ANA, event("task.renamed", json!({"title": from_to(json!("T"), json!("U"))})));
    assert_eq!(applied(&mut tables, 1, &renamed), Err("it is about a task that has no row".to_owned()));
    assert_eq!(tables.rows(), 0);
}
