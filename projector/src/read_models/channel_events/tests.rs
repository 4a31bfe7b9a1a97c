//! Given events, then rows of events on channels.

use serde_json::{Value, json};

use crate::testing::{ANA, TEAM, added, event, from_to, given, project_created, removed, team_created, then};

#[test]
fn changes_of_roles_are_delivered_to_the_people_concerned() {
    let ana = |role: &str| json!({"user_id": ANA, "role": role});
    let team = |role: &str| json!({"team_id": TEAM, "role": role});
    let to_person = |position: i64| json!({"position": position, "user_id": ANA, "team_id": null});
    let to_team = |position: i64| json!({"position": position, "user_id": null, "team_id": TEAM});
    let tables = given(&[
        project_created(),
        event("project.member_added", json!({"member": added(ana("viewer"))})),
        event("project.member_role_changed", json!({"member": from_to(ana("viewer"), ana("admin"))})),
        event("project.renamed", json!({"name": from_to(json!("P"), json!("Q"))})),
        event("project.member_removed", json!({"member": removed(ana("admin"))})),
        event("project.team_added", json!({"team": added(team("member"))})),
        event("project.team_role_changed", json!({"team": from_to(team("member"), team("admin"))})),
        event("project.team_removed", json!({"team": removed(team("admin"))})),
    ]);
    then(&tables.channel_events, &[to_person(2), to_person(3), to_person(5), to_team(6), to_team(7), to_team(8)]);
}

#[test]
fn events_of_a_team_are_delivered_to_its_members() {
    let ana = |role: &str| json!({"user_id": ANA, "role": role});
    let tables = given(&[
        team_created(),
        event("team.renamed", json!({"name": from_to(json!("D"), json!("E"))})),
        event("team.member_role_changed", json!({"member": from_to(ana("member"), ana("owner"))})),
        event("team.member_removed", json!({"member": removed(ana("owner"))})),
    ]);
    let rows: Vec<Value> = (1..=4).map(|position| json!({"position": position, "team_id": TEAM})).collect();
    then(&tables.channel_events, &rows);
}
