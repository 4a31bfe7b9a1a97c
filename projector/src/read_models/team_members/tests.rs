//! Given events, then rows of members of teams.

use serde_json::{Value, json};

use crate::testing::{ACTOR, ANA, BEN, TEAM, added, event, from_to, given, removed, team_created, then};

/// Each case: an event after the one before, the members after it, and the intervals that have ended.
#[test]
fn a_membership_is_one_interval_for_each_role_and_ends_with_the_team() {
    let member = |user: uuid::Uuid, role: &str| json!({"user_id": user, "role": role});
    let present = |user: uuid::Uuid, role: &str, from: i64| -> Value {
        json!({"team_id": TEAM, "user_id": user, "role": role, "from_position": from})
    };
    let past = |user: uuid::Uuid, role: &str, from: i64, to: i64| -> Value {
        json!({"team_id": TEAM, "user_id": user, "role": role, "from_position": from, "to_position": to})
    };
    let (owner, ana) = (present(ACTOR, "owner", 1), present(ANA, "member", 1));
    let cases: [(Value, Vec<Value>, Vec<Value>); 5] = [
        (team_created(), vec![owner.clone(), ana.clone()], vec![]),
        (
            event("team.member_added", json!({"member": added(member(BEN, "member"))})),
            vec![owner.clone(), ana, present(BEN, "member", 2)],
            vec![],
        ),
        (
            event("team.member_role_changed", json!({"member": from_to(member(ANA, "member"), member(ANA, "owner"))})),
            vec![owner.clone(), present(ANA, "owner", 3), present(BEN, "member", 2)],
            vec![past(ANA, "member", 1, 3)],
        ),
        (
            event("team.member_removed", json!({"member": removed(member(BEN, "member"))})),
            vec![owner, present(ANA, "owner", 3)],
            vec![past(ANA, "member", 1, 3), past(BEN, "member", 2, 4)],
        ),
        (
            event("team.deleted", json!({"members": removed(json!([member(ACTOR, "owner"), member(ANA, "owner")]))})),
            vec![],
            vec![
                past(ACTOR, "owner", 1, 5),
                past(ANA, "member", 1, 3),
                past(ANA, "owner", 3, 5),
                past(BEN, "member", 2, 4),
            ],
        ),
    ];
    let mut events = Vec::new();
    for (event, members, ended) in cases {
        events.push(event);
        let tables = given(&events);
        then(&tables.team_members, &members);
        then(&tables.past_team_members, &ended);
    }
}
