//! Given events, then rows of members of projects.

use serde_json::{Value, json};

use crate::testing::{ACTOR, ANA, PROJECT, added, applied, event, from_to, given, project_created, removed, then};

fn ana(role: &str) -> Value {
    json!({"user_id": ANA, "role": role})
}

/// Each case: an event after the one before, ANA's row after it, and the intervals that have ended.
#[test]
fn a_membership_is_one_interval_for_each_role() {
    let past = |role: &str, from: i64, to: i64| -> Value {
        json!({"project_id": PROJECT, "user_id": ANA, "role": role, "from_position": from, "to_position": to})
    };
    let present = |role: &str, from: i64| json!({"user_id": ANA, "role": role, "from_position": from});
    let cases = [
        (event("project.member_added", json!({"member": added(ana("viewer"))})), vec![present("viewer", 2)], vec![]),
        (
            event("project.member_role_changed", json!({"member": from_to(ana("viewer"), ana("admin"))})),
            vec![present("admin", 3)],
            vec![past("viewer", 2, 3)],
        ),
        (
            event("project.member_removed", json!({"member": removed(ana("admin"))})),
            vec![],
            vec![past("viewer", 2, 3), past("admin", 3, 4)],
        ),
        (
            event("project.member_added", json!({"member": added(ana("viewer"))})),
            vec![present("viewer", 5)],
            vec![past("viewer", 2, 3), past("admin", 3, 4)],
        ),
    ];
    let owner = json!({"project_id": PROJECT, "user_id": ACTOR, "role": "owner", "position": 1, "from_position": 1});
    let mut events = vec![project_created()];
    then(&given(&events).members, std::slice::from_ref(&owner));
    for (event, members, ended) in cases {
        events.push(event);
        let tables = given(&events);
        then(&tables.members, &[vec![owner.clone()], members].concat());
        then(&tables.past_members, &ended);
    }
}

#[test]
fn a_change_of_a_membership_without_a_row_is_not_folded() {
    let mut tables = given(&[project_created()]);
    let removed = event("project.member_removed", json!({"member": removed(ana("admin"))}));
    assert_eq!(applied(&mut tables, 2, &removed), Err("it is about a membership that has no row".to_owned()));
    then(&tables.projects, &[json!({"version": 1})]);
}
