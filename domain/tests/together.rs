//! The rules of what several people, teams and tasks have to do with one another, as given / when / then.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::sync::Arc;

use cqrs_es::test::TestFramework;
use serde_json::{Value, json};
use taskfold_domain::ids::{ProjectId, TeamId, UserId};
use taskfold_domain::task::Origin;
use taskfold_domain::{
    Access, Project, ProjectCommand, Rank, Refusal, Role, Task, TaskCommand, TaskEvent, Team, TeamCommand, TeamEvent,
    Timestamp, project, task, team,
};
use uuid::Uuid;

const OWNER: UserId = UserId(Uuid::from_u128(1));
const MEMBER: UserId = UserId(Uuid::from_u128(2));
const STRANGER: UserId = UserId(Uuid::from_u128(4));
const PROJECT: ProjectId = ProjectId(Uuid::from_u128(10));
const TEAM: TeamId = TeamId(Uuid::from_u128(40));

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn at(second: i64) -> Timestamp {
    chrono::DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap().into()
}

fn team_asked(actor: UserId, kind: &str, data: Value) -> team::Asked {
    let command: TeamCommand = serde_json::from_value(json!({"type": kind, "data": data})).unwrap();
    team::Asked { command, context: team::Context { actor, id: TEAM } }
}

fn team_events(events: &[Value]) -> Vec<TeamEvent> {
    events.iter().map(|event| serde_json::from_value(event.clone()).unwrap()).collect()
}

/// OWNER owns it, MEMBER is in it.
fn a_team() -> Vec<TeamEvent> {
    team_events(&[
        json!({"type": "team.created", "changes": {
            "id": {"from": null, "to": TEAM}, "name": {"from": null, "to": "Design"},
            "members": {"from": null, "to": [{"user_id": OWNER, "role": "owner"}]}}}),
        json!({"type": "team.member_added", "changes": {
            "member": {"from": null, "to": {"user_id": MEMBER, "role": "member"}}}}),
    ])
}

fn folded(events: Vec<TeamEvent>) -> Arc<Team> {
    let mut team = Team::default();
    events.into_iter().for_each(|event| team.apply(event));
    Arc::new(team)
}

#[test]
fn given_a_team_when_its_last_owner_leaves_then_it_is_refused() {
    TestFramework::<Team>::with(())
        .given(a_team())
        .when(team_asked(OWNER, "team.remove_member", json!({"user_id": OWNER})))
        .then_expect_error(Refusal::LastOwner);
}

#[test]
fn given_a_team_when_a_member_decides_who_is_in_it_then_it_is_refused_but_they_may_leave() {
    let add = json!({"user_id": STRANGER, "role": "member"});
    TestFramework::<Team>::with(())
        .given(a_team())
        .when(team_asked(MEMBER, "team.set_member", add))
        .then_expect_error(Refusal::TeamOwnersOnly);
    TestFramework::<Team>::with(())
        .given(a_team())
        .when(team_asked(MEMBER, "team.remove_member", json!({"user_id": MEMBER})))
        .then_expect_events(team_events(&[json!({"type": "team.member_removed", "changes": {
            "member": {"from": {"user_id": MEMBER, "role": "member"}, "to": null}}})]));
}

#[test]
fn given_a_deleted_team_when_its_id_is_asked_for_again_then_it_is_given_out_already() {
    let mut events = a_team();
    events.extend(team_events(&[json!({"type": "team.deleted", "changes": {"members": {"from": [], "to": null}}})]));
    TestFramework::<Team>::with(())
        .given(events)
        .when(team_asked(OWNER, "team.create", json!({"name": "Again"})))
        .then_expect_error(Refusal::AlreadyExists);
}

fn project_context(actor: UserId, teams: Vec<Arc<Team>>) -> project::Context {
    project::Context {
        actor,
        at: at(0),
        jitter: 7,
        id: PROJECT,
        fresh_id: id(30),
        origin: Origin::Live,
        teams,
        template: None,
        invited: None,
    }
}

/// OWNER's, with the team in the role.
fn board(role: &str) -> Project {
    let mut project = Project::default();
    let teams = vec![folded(a_team())];
    for (kind, data) in [("create", json!({"name": "P"})), ("set_team", json!({"team_id": TEAM, "role": role}))] {
        let command: ProjectCommand =
            serde_json::from_value(json!({"type": format!("project.{kind}"), "data": data})).unwrap();
        for event in project::decide(&project, &command, &project_context(OWNER, teams.clone())).unwrap() {
            project.apply(event);
        }
    }
    project
}

#[test]
fn given_a_team_with_a_role_when_somebody_is_in_it_then_the_highest_of_their_roles_counts() {
    let (project, teams) = (board("member"), [folded(a_team())]);
    let access = Access::new(project.board().unwrap(), &teams);
    assert_eq!(access.role_of(MEMBER), Some(Role::Member));
    assert_eq!(access.role_of(OWNER), Some(Role::Owner), "through the team a member, of their own the owner");
    assert_eq!(access.role_of(STRANGER), None);
    assert_eq!(
        Access::new(project.board().unwrap(), &[]).role_of(MEMBER),
        None,
        "a team that is not there gives nothing"
    );
}

#[test]
fn given_a_team_that_one_is_not_in_when_it_is_brought_along_then_it_is_not_there() {
    let project = board("member");
    let command: ProjectCommand =
        serde_json::from_value(json!({"type": "project.set_team", "data": {"team_id": id(41), "role": "viewer"}}))
            .unwrap();
    let others = folded(team_events(&[json!({"type": "team.created", "changes": {
        "id": {"from": null, "to": id(41)}, "name": {"from": null, "to": "X"},
        "members": {"from": null, "to": [{"user_id": STRANGER, "role": "owner"}]}}})]));
    let refusal = project::decide(&project, &command, &project_context(OWNER, vec![others]));
    assert_eq!(refusal, Err(Refusal::NotFound));
}

fn asked(second: i64, actor: UserId, kind: &str, data: Value) -> task::Asked {
    task::Asked {
        command: serde_json::from_value::<TaskCommand>(json!({"type": kind, "data": data})).unwrap(),
        actor,
        at: at(second),
        project: board("member"),
        place: None,
        end: Rank::at_end(at(second), 7),
        mentions: vec![],
        fresh_id: id(20),
        origin: Origin::Live,
        teams: vec![folded(a_team())],
        other: None,
    }
}

fn decided(task: &Task, asked: &task::Asked) -> Result<Vec<TaskEvent>, Refusal> {
    let context = task::Context {
        actor: asked.actor,
        at: asked.at,
        project: &asked.project,
        place: None,
        end: asked.end.clone(),
        mentions: vec![],
        fresh_id: asked.fresh_id,
        origin: asked.origin,
        teams: &asked.teams,
        other: asked.other.as_ref(),
    };
    task::decide(task, &asked.command, &context)
}

fn a_task(data: Value) -> Task {
    let mut task = Task::default();
    for event in decided(&task, &asked(0, MEMBER, "task.create", data)).unwrap() {
        task.apply(event);
    }
    task
}

#[test]
fn given_a_task_when_it_waits_for_what_is_not_in_the_project_then_it_is_refused() {
    let task = a_task(json!({"title": "T"}));
    let wait = asked(1, MEMBER, "task.add_dependency", json!({"task_id": id(21)}));
    let stray = Err(Refusal::invalid("/task_id", "not a task of the project"));
    assert_eq!(decided(&task, &wait), stray, "one that nobody has");
    let other = task::Asked { other: Some(a_task(json!({"title": "O"}))), ..wait };
    assert_eq!(decided(&task, &other).unwrap().len(), 1);
}

const DAY: i64 = 24 * 60 * 60;

#[test]
fn given_a_due_time_when_the_clock_looks_then_it_says_each_thing_once_and_in_time() {
    let due = at(2 * DAY);
    let mut task = a_task(json!({"title": "T", "due_at": due}));
    let clock = |second: i64, stage: &str| task::Asked {
        origin: Origin::Clock,
        ..asked(second, UserId(Uuid::nil()), "task.remind", json!({"due_at": due, "stage": stage}))
    };
    assert_eq!(decided(&task, &clock(DAY - 1, "due_soon")), Ok(vec![]), "too early");
    let soon = decided(&task, &clock(DAY, "due_soon")).unwrap();
    assert!(matches!(soon.as_slice(), [TaskEvent::DueSoon(_)]), "{soon:?}");
    soon.into_iter().for_each(|event| task.apply(event));
    assert_eq!(decided(&task, &clock(DAY + 5, "due_soon")), Ok(vec![]), "said already");
    let overdue = decided(&task, &clock(2 * DAY, "overdue")).unwrap();
    assert!(matches!(overdue.as_slice(), [TaskEvent::Overdue(_)]), "{overdue:?}");
    overdue.into_iter().for_each(|event| task.apply(event));
    assert_eq!(decided(&task, &clock(3 * DAY, "overdue")), Ok(vec![]));
    // Nobody but the clock says so, whatever their role.
    let forged = task::Asked { origin: Origin::Live, ..clock(2 * DAY, "overdue") };
    assert_eq!(decided(&task, &task::Asked { actor: OWNER, ..forged }), Err(Refusal::Forbidden { needs: Role::Owner }));
}

#[test]
fn given_a_clock_that_comes_late_when_the_due_time_is_over_then_it_does_not_say_that_it_comes_near() {
    let due = at(2 * DAY);
    let task = a_task(json!({"title": "T", "due_at": due}));
    let late = asked(5 * DAY, UserId(Uuid::nil()), "task.remind", json!({"due_at": due, "stage": "due_soon"}));
    let said = decided(&task, &task::Asked { origin: Origin::Clock, ..late }).unwrap();
    assert!(matches!(said.as_slice(), [TaskEvent::Overdue(_)]), "{said:?}");
}
