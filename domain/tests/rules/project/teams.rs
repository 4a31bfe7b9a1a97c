//! Teams that have a role in a project.

use std::sync::Arc;

use taskfold_domain::TeamThen;
use taskfold_domain::limits::TEAMS_PER_PROJECT;

use super::members::member_removed;
use crate::fixtures::project::*;
use crate::fixtures::team::team_with;

/// Command about the team, which is found.
fn knowing_the_team(actor: UserId, command: ProjectCommand) -> Request {
    by(actor, command).with(|facts| facts.teams = vec![team_with([team::member_added(team::member(ADMIN))])])
}

fn set(role: Role) -> ProjectCommand {
    ProjectCommand::SetTeam(SetTeam { team_id: TEAM, role })
}

fn remove() -> ProjectCommand {
    ProjectCommand::RemoveTeam(TeamRef { team_id: TEAM })
}

fn grant(role: Role) -> TeamGrant {
    TeamGrant { team_id: TEAM, role }
}

#[test]
fn an_admin_gives_a_role_to_a_team_that_they_are_in() {
    for role in [Role::Viewer, Role::Member, Role::Admin] {
        given(a_project()).when(knowing_the_team(ADMIN, set(role))).then_expect_events(vec![team_added(role)]);
    }
}

#[test]
fn a_team_without_the_caller_is_not_found() {
    let without_admin = team_with([]);
    given(a_project())
        .when(by(ADMIN, set(Role::Viewer)).with(|facts| facts.teams = vec![without_admin]))
        .then_expect_error(Refusal::NotFound);
    given(a_project()).when(by(ADMIN, set(Role::Viewer))).then_expect_error(Refusal::NotFound);
}

#[test]
fn a_deleted_team_is_not_found() {
    let members = vec![team::owner(OWNER), team::member(MEMBER)];
    let deleted = team_with([team::TeamEvent::Deleted(team::Deleted { members: removed(members) })]);
    given(a_project())
        .when(by(OWNER, set(Role::Viewer)).with(|facts| facts.teams = vec![deleted]))
        .then_expect_error(Refusal::NotFound);
}

#[test]
fn only_an_owner_gives_a_team_the_role_of_owners_or_takes_it() {
    given(a_project())
        .when(knowing_the_team(OWNER, set(Role::Owner)))
        .then_expect_events(vec![team_added(Role::Owner)]);
    given(a_project()).when(knowing_the_team(ADMIN, set(Role::Owner))).then_expect_error(Refusal::OwnersOnly);
    // The team is not among the facts: its role is not what the admin decides by.
    for command in [set(Role::Viewer), remove()] {
        given(a_project_with([team_added(Role::Owner)]))
            .when(by(ADMIN, command))
            .then_expect_error(Refusal::OwnersOnly);
    }
}

#[test]
fn an_admin_changes_the_role_of_any_team() {
    let changed = TeamRoleChanged { team: Delta::new(grant(Role::Viewer), grant(Role::Admin)) };
    given(a_project_with([team_added(Role::Viewer)]))
        .when(by(ADMIN, set(Role::Admin)))
        .then_expect_events(vec![ProjectEvent::TeamRoleChanged(changed)]);
}

#[test]
fn a_team_that_has_the_role_already_keeps_it() {
    given(a_project_with([team_added(Role::Viewer)])).when(by(ADMIN, set(Role::Viewer))).then_expect_events(vec![]);
}

#[test]
fn a_project_has_a_maximum_of_teams() {
    let many = (0..TEAMS_PER_PROJECT).map(|n| {
        let team = TeamGrant { team_id: id(n as u128), role: Role::Viewer };
        ProjectEvent::TeamAdded(TeamAdded { team: added(team) })
    });
    given(a_project_with(many))
        .when(knowing_the_team(ADMIN, set(Role::Viewer)))
        .then_expect_error(Refusal::invalid("", "a project has at most 20 teams"));
}

#[test]
fn an_admin_removes_a_team() {
    given(a_project_with([team_added(Role::Viewer)]))
        .when(by(ADMIN, remove()))
        .then_expect_events(vec![ProjectEvent::TeamRemoved(TeamRemoved { team: removed(grant(Role::Viewer)) })]);
}

#[test]
fn a_team_without_a_role_cannot_be_removed() {
    given(a_project()).when(by(ADMIN, remove())).then_expect_error(Refusal::NotFound);
}

fn team_removed(role: Role) -> ProjectEvent {
    ProjectEvent::TeamRemoved(TeamRemoved { team: removed(grant(role)) })
}

/// Joining with an invitation that was made when the team had two members and a role in the project.
fn invited(actor: UserId, made: Invitation, team: Arc<team::Team>) -> Request {
    by(actor, ProjectCommand::Join(Empty {})).with(|facts| {
        facts.invitation = Some(made);
        facts.teams_then = vec![TeamThen { team_id: TEAM, version: 2 }];
        facts.teams = vec![team];
    })
}

fn member_left_team() -> team::TeamEvent {
    team::TeamEvent::MemberRemoved(team::MemberRemoved { member: removed(team::member(MEMBER)) })
}

/// A project whose only admin has the role of the team, and an invitation of the admin's.
fn through_the_team(more: impl IntoIterator<Item = ProjectEvent>) -> (Vec<ProjectEvent>, Invitation) {
    let mut project = a_project_with([member_removed(MEMBER, Role::Member), team_added(Role::Admin)]);
    let made_at = project.len() as u64;
    project.extend(more);
    (project, Invitation { role: Role::Viewer, made_by: MEMBER, made_at, through_team: true })
}

#[test]
fn an_invitation_ends_when_its_maker_loses_the_role_of_a_team() {
    let joined = vec![member_added(STRANGER, Role::Viewer)];
    let (project, made) = through_the_team([]);
    given(project.clone()).when(invited(STRANGER, made, team_with([]))).then_expect_events(joined.clone());
    // Also if they get it back.
    for events in [vec![], vec![team::member_added(team::member(MEMBER))]] {
        let team = team_with(std::iter::once(member_left_team()).chain(events));
        given(project.clone()).when(invited(STRANGER, made, team)).then_expect_error(Refusal::NotFound);
    }
    let lowered =
        ProjectEvent::TeamRoleChanged(TeamRoleChanged { team: Delta::new(grant(Role::Admin), grant(Role::Viewer)) });
    let raised =
        ProjectEvent::TeamRoleChanged(TeamRoleChanged { team: Delta::new(grant(Role::Viewer), grant(Role::Admin)) });
    for events in [vec![team_removed(Role::Admin), team_added(Role::Admin)], vec![lowered, raised]] {
        let (project, made) = through_the_team(events);
        given(project).when(invited(STRANGER, made, team_with([]))).then_expect_error(Refusal::NotFound);
    }
    // Teams do not matter to somebody with a role of their own.
    let (project, _) = through_the_team([]);
    let own = Invitation { made_by: OWNER, through_team: false, ..made };
    given(project).when(invited(STRANGER, own, team_with([member_left_team()]))).then_expect_events(joined);
}

#[test]
fn an_invitation_does_not_readmit_somebody_who_lost_the_role_of_a_team() {
    let made = |project: &[ProjectEvent]| Invitation { made_at: project.len() as u64, ..invitation(Role::Member) };
    let project = a_project_with([member_removed(MEMBER, Role::Member), team_added(Role::Viewer)]);
    let by_owner = made(&project);
    let gone = team_with([member_left_team()]);
    given(project.clone()).when(invited(MEMBER, by_owner, gone)).then_expect_error(Refusal::NotFound);
    let members = vec![team::owner(OWNER), team::member(MEMBER)];
    let deleted = team_with([team::TeamEvent::Deleted(team::Deleted { members: removed(members) })]);
    given(project.clone()).when(invited(MEMBER, by_owner, deleted)).then_expect_error(Refusal::NotFound);
    let mut without = project.clone();
    without.push(team_removed(Role::Viewer));
    given(without.clone()).when(invited(MEMBER, by_owner, team_with([]))).then_expect_error(Refusal::NotFound);
    // An invitation from afterwards does.
    let later = made(&without);
    given(without)
        .when(invited(MEMBER, later, team_with([])))
        .then_expect_events(vec![member_added(MEMBER, Role::Member)]);
}
