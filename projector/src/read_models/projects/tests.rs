//! Given events, then rows of projects.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::testing::{
    ACTOR, ANA, PROJECT, added, applied, at, column, event, from_to, given, project_created, removed, then,
};

const COLUMN: Uuid = Uuid::from_u128(21);
const OTHER: Uuid = Uuid::from_u128(22);

#[test]
fn a_new_project_has_its_fields() {
    then(
        &given(&[project_created()]).projects,
        &[json!({
            "project_id": PROJECT, "name": "P", "description": "", "columns": [column(json!({}))], "labels": [],
            "watcher_ids": [], "filters": [], "archived": false, "created_at": at(1), "created_by": ACTOR, "version": 1,
            "position": 1,
        })],
    );
}

/// Each case: events after the creation, and columns of the row after them.
#[test]
fn an_event_changes_the_fields_that_it_names() {
    let diff = |name: &str, field: &str, from: Value, to: Value| {
        event(name, json!({"column": {"from": {"id": COLUMN, field: from}, "to": {"id": COLUMN, field: to}}}))
    };
    let other = || column(json!({"id": OTHER, "name": "Done", "category": "done", "rank": "a2"}));
    let other_added = || event("project.column_added", json!({"column": added(other())}));
    let label = |name: &str| json!({"id": OTHER, "name": name, "color": "red"});
    let label_added = || event("project.label_added", json!({"label": added(label("bug"))}));
    let filter = |name: &str| json!({"id": OTHER, "name": name, "query": "q=x"});
    let filter_added = || event("project.filter_added", json!({"filter": added(filter("mine"))}));
    let watched = || event("project.watched", json!({"watcher": added(json!({"user_id": ANA}))}));
    let archived = |name: &str, to: bool| event(name, json!({"archived": from_to(json!(!to), json!(to))}));
    let cases: Vec<(Vec<Value>, Value)> = vec![
        (vec![event("project.renamed", json!({"name": from_to(json!("P"), json!("Q"))}))], json!({"name": "Q"})),
        (
            vec![event("project.described", json!({"description": from_to(json!(""), json!("d"))}))],
            json!({"description": "d"}),
        ),
        (vec![other_added()], json!({"columns": [column(json!({})), other()]})),
        (
            vec![diff("project.column_renamed", "name", json!("To do"), json!("New"))],
            json!({"columns": [column(json!({"name": "New"}))]}),
        ),
        (
            vec![other_added(), diff("project.column_moved", "rank", json!("a1"), json!("a3"))],
            json!({"columns": [other(), column(json!({"rank": "a3"}))]}),
        ),
        (
            vec![diff("project.column_archived", "archived", json!(false), json!(true))],
            json!({"columns": [column(json!({"archived": true}))]}),
        ),
        (
            vec![
                diff("project.column_archived", "archived", json!(false), json!(true)),
                diff("project.column_restored", "archived", json!(true), json!(false)),
            ],
            json!({"columns": [column(json!({}))]}),
        ),
        (
            vec![diff("project.wip_limit_set", "wip_limit", Value::Null, json!(3))],
            json!({"columns": [column(json!({"wip_limit": 3}))]}),
        ),
        (
            vec![other_added(), event("project.column_removed", json!({"column": removed(column(json!({})))}))],
            json!({"columns": [other()]}),
        ),
        (vec![label_added()], json!({"labels": [label("bug")]})),
        (
            vec![label_added(), event("project.label_changed", json!({"label": from_to(label("bug"), label("fix"))}))],
            json!({"labels": [label("fix")]}),
        ),
        (
            vec![label_added(), event("project.label_removed", json!({"label": removed(label("bug"))}))],
            json!({"labels": []}),
        ),
        (vec![filter_added()], json!({"filters": [filter("mine")]})),
        (
            vec![
                filter_added(),
                event(
                    "project.filter_changed",
                    json!({
                        "filter": from_to(filter("mine"), filter("ours")),
                    }),
                ),
            ],
            json!({"filters": [filter("ours")]}),
        ),
        (
            vec![filter_added(), event("project.filter_removed", json!({"filter": removed(filter("mine"))}))],
            json!({"filters": []}),
        ),
        (vec![watched()], json!({"watcher_ids": [ANA]})),
        (
            vec![watched(), event("project.unwatched", json!({"watcher": removed(json!({"user_id": ANA}))}))],
            json!({"watcher_ids": []}),
        ),
        (vec![archived("project.archived", true)], json!({"archived": true})),
        (vec![archived("project.archived", true), archived("project.restored", false)], json!({"archived": false})),
    ];
    for (events, columns) in cases {
        let count = events.len() as i64 + 1;
        let tables = given(&[vec![project_created()], events].concat());
        let mut expected = json!({"version": count, "position": count, "updated_at": at(count), "created_at": at(1)});
        for (column, value) in columns.as_object().into_iter().flatten() {
            expected[column] = value.clone();
        }
        then(&tables.projects, &[expected]);
    }
}

#[test]
fn an_event_of_a_project_without_a_row_is_not_folded() {
    let mut tables = given(&[]);
    let renamed = event("project.renamed", json!({"name": from_to(json!("P"), json!("Q"))}));
    assert_eq!(applied(&mut tables, 1, &renamed), Err("it is about a project that has no row".to_owned()));
}
