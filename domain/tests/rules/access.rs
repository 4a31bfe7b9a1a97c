//! Role of a person in a project: the highest of their own and those of their teams.

use taskfold_domain::{Access, Team};

use crate::fixtures::project::{member_added, project_with, team_added};
use crate::fixtures::team::{self, TeamEvent, team_with};
use crate::fixtures::*;

#[test]
fn somebody_in_a_team_has_the_higher_of_their_own_role_and_that_of_the_team() {
    let (project, teams) =
        (project_with([team_added(Role::Admin)]), [team_with([team::member_added(team::member(id(1)))])]);
    let access = Access::new(project.board().unwrap(), &teams);
    assert_eq!(access.role_of(id(1)), Some(Role::Admin), "through the team alone");
    assert_eq!(access.role_of(MEMBER), Some(Role::Admin), "of their own a member");
    assert_eq!(access.role_of(OWNER), Some(Role::Owner), "through the team an admin");
    assert_eq!(access.role_of(VIEWER), Some(Role::Viewer), "not in the team");
    assert_eq!(access.role_of(STRANGER), None);
}

#[test]
fn somebody_in_two_teams_has_the_higher_of_their_roles() {
    let second: TeamId = id(1);
    let granted = |team_id, role| project::TeamGrant { team_id, role };
    let second_added = project::TeamAdded { team: added(granted(second, Role::Admin)) };
    let project = project_with([team_added(Role::Viewer), project::ProjectEvent::TeamAdded(second_added)]);
    let created =
        team::Created { id: added(second), name: added_text("Print"), members: added(vec![team::owner(STRANGER)]) };
    let first = team_with([team::member_added(team::member(STRANGER))]);
    let teams = [first, std::sync::Arc::new(folded::<Team>(&[TeamEvent::Created(created)]))];
    assert_eq!(Access::new(project.board().unwrap(), &teams).role_of(STRANGER), Some(Role::Admin));
    assert_eq!(Access::new(project.board().unwrap(), &teams[..1]).role_of(STRANGER), Some(Role::Viewer));
}

#[test]
fn a_team_that_is_deleted_or_has_no_role_in_the_project_gives_nothing() {
    let with_stranger = || team::member_added(team::member(STRANGER));
    let members = vec![team::owner(OWNER), team::member(MEMBER), team::member(STRANGER)];
    let deleted = team_with([with_stranger(), TeamEvent::Deleted(team::Deleted { members: removed(members) })]);
    let project = project_with([team_added(Role::Admin)]);
    assert_eq!(Access::new(project.board().unwrap(), &[deleted]).role_of(STRANGER), None);
    let without_team = project_with([member_added(id(1), Role::Viewer)]);
    let teams = [team_with([with_stranger()])];
    assert_eq!(Access::new(without_team.board().unwrap(), &teams).role_of(STRANGER), None);
}
