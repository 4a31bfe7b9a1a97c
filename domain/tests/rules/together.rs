//! Rules that involve several people, teams and tasks.

use std::sync::Arc;

use taskfold_domain::ids::TeamId;
use taskfold_domain::{Access, Team, TeamEvent};

use super::*;

const TEAM: TeamId = TeamId(Uuid::from_u128(40));

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
    events.into_iter().for_each(|event| team.apply(&event));
    Arc::new(team)
}

/// OWNER's, with the team in the role.
fn board(role: &str) -> Project {
    let mut project = Project::default();
    let teams = vec![folded(a_team())];
    for (kind, data) in [("create", json!({"name": "P"})), ("set_team", json!({"team_id": TEAM, "role": role}))] {
        let context = taskfold_domain::project::Context { teams: teams.clone(), ..project_context(OWNER) };
        let command = project_command(&format!("project.{kind}"), data);
        for event in taskfold_domain::project::decide(&project, &command, &context).unwrap() {
            project.apply(&event);
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

/// In the project that the team is in.
fn request_of_team(second: i64, actor: UserId, kind: &str, data: Value) -> Request {
    with(request_at(second, actor, kind, data), |context| {
        context.project = Arc::new(board("member"));
        context.teams = vec![folded(a_team())];
    })
}

fn a_task(data: Value) -> Task {
    let mut task = Task::default();
    for event in request_of_team(0, MEMBER, "task.create", data).decide(&task).unwrap() {
        task.apply(&event);
    }
    task
}

#[test]
fn given_a_task_when_it_waits_for_what_is_not_in_the_project_then_it_is_refused() {
    let task = a_task(json!({"title": "T"}));
    let wait = request_of_team(1, MEMBER, "task.add_dependency", json!({"task_id": id(21)}));
    let stray = Err(Refusal::invalid("/task_id", "not a task of the project"));
    assert_eq!(wait.decide(&task), stray, "one that nobody has");
    let other = with(wait, |context| context.other = Some(Arc::new(a_task(json!({"title": "O"})))));
    assert_eq!(other.decide(&task).unwrap().len(), 1);
}

const DAY: i64 = 24 * 60 * 60;

#[test]
fn given_a_due_time_when_the_clock_looks_then_it_says_each_thing_once_and_in_time() {
    let due = at(2 * DAY);
    let mut task = a_task(json!({"title": "T", "due_at": due}));
    let clock = |second: i64, stage: &str| {
        let remind = json!({"due_at": due, "stage": stage});
        with(request_of_team(second, UserId(Uuid::nil()), "task.remind", remind), |context| {
            context.origin = Origin::Clock
        })
    };
    assert_eq!(clock(DAY - 1, "due_soon").decide(&task), Ok(vec![]), "too early");
    let soon = clock(DAY, "due_soon").decide(&task).unwrap();
    assert!(matches!(soon.as_slice(), [TaskEvent::DueSoon(_)]), "{soon:?}");
    soon.into_iter().for_each(|event| task.apply(&event));
    assert_eq!(clock(DAY + 5, "due_soon").decide(&task), Ok(vec![]), "said already");
    let overdue = clock(2 * DAY, "overdue").decide(&task).unwrap();
    assert!(matches!(overdue.as_slice(), [TaskEvent::Overdue(_)]), "{overdue:?}");
    overdue.into_iter().for_each(|event| task.apply(&event));
    assert_eq!(clock(3 * DAY, "overdue").decide(&task), Ok(vec![]));
    // Nobody but the clock says so, whatever their role.
    let forged = with(clock(2 * DAY, "overdue"), |context| context.origin = Origin::Live);
    assert_eq!(
        with(forged, |context| context.actor = OWNER).decide(&task),
        Err(Refusal::Forbidden { needs: Role::Owner })
    );
}

#[test]
fn given_a_clock_that_comes_late_when_the_due_time_is_over_then_it_does_not_say_that_it_comes_near() {
    let due = at(2 * DAY);
    let task = a_task(json!({"title": "T", "due_at": due}));
    let late =
        request_of_team(5 * DAY, UserId(Uuid::nil()), "task.remind", json!({"due_at": due, "stage": "due_soon"}));
    let said = with(late, |context| context.origin = Origin::Clock).decide(&task).unwrap();
    assert!(matches!(said.as_slice(), [TaskEvent::Overdue(_)]), "{said:?}");
}
