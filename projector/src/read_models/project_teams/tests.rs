//! Given events, then rows of teams with a role in a project.

use serde_json::{Value, json};

use crate::testing::{PROJECT, TEAM, added, event, from_to, given, project_created, removed, then};

/// Each case: an event after the one before, the team's row after it, and the intervals that have ended.
#[test]
fn a_teams_role_is_one_interval_for_each_role() {
    let team = |role: &str| json!({"team_id": TEAM, "role": role});
    let past = |role: &str, from: i64, to: i64| -> Value {
        json!({"project_id": PROJECT, "team_id": TEAM, "role": role, "from_position": from, "to_position": to})
    };
    let present = |role: &str, from: i64| json!({"team_id": TEAM, "role": role, "from_position": from});
    let cases: [(Value, Vec<Value>, Vec<Value>); 3] = [
        (event("project.team_added", json!({"team": added(team("member"))})), vec![present("member", 2)], vec![]),
        (
            event("project.team_role_changed", json!({"team": from_to(team("member"), team("admin"))})),
            vec![present("admin", 3)],
            vec![past("member", 2, 3)],
        ),
        (
            event("project.team_removed", json!({"team": removed(team("admin"))})),
            vec![],
            vec![past("member", 2, 3), past("admin", 3, 4)],
        ),
    ];
    let mut events = vec![project_created()];
    for (event, teams, ended) in cases {
        events.push(event);
        let tables = given(&events);
        then(&tables.project_teams, &teams);
        then(&tables.past_project_teams, &ended);
        then(&tables.past_members, &[]);
    }
}
