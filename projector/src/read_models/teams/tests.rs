//! Given events, then rows of teams.

use serde_json::json;

use crate::testing::{ACTOR, ANA, BEN, TEAM, added, applied, at, event, from_to, given, removed, team_created, then};

/// Each case: an event after the one before, and the row after it.
#[test]
fn a_team_is_created_renamed_and_deleted() {
    let member = |role: &str| json!({"user_id": BEN, "role": role});
    let all = json!([{"user_id": ACTOR, "role": "owner"}, {"user_id": ANA, "role": "member"}]);
    let cases = [
        (
            team_created(),
            vec![json!({
                "team_id": TEAM, "name": "D", "created_at": at(1), "created_by": ACTOR, "version": 1, "position": 1,
            })],
        ),
        (
            event("team.renamed", json!({"name": from_to(json!("D"), json!("E"))})),
            vec![json!({"name": "E", "created_at": at(1), "version": 2, "position": 2})],
        ),
        (event("team.member_added", json!({"member": added(member("member"))})), vec![json!({"version": 3})]),
        (
            event("team.member_role_changed", json!({"member": from_to(member("member"), member("owner"))})),
            vec![json!({"version": 4})],
        ),
        (event("team.member_removed", json!({"member": removed(member("owner"))})), vec![json!({"version": 5})]),
        (event("team.deleted", json!({"members": removed(all)})), vec![]),
    ];
    let mut events = Vec::new();
    for (event, rows) in cases {
        events.push(event);
        then(&given(&events).teams, &rows);
    }
}

#[test]
fn an_event_of_a_team_without_a_row_is_not_folded() {
    let mut tables = given(&[]);
    let renamed = event("team.renamed", json!({"name": from_to(json!("D"), json!("E"))}));
    assert_eq!(applied(&mut tables, 1, &renamed), Err("it is about a team that has no row".to_owned()));
}
