//! Members of a team and their roles in it.

use taskfold_domain::limits::MEMBERS_PER_TEAM;

use crate::fixtures::team::*;

fn set(user_id: UserId, role: TeamRole) -> TeamCommand {
    TeamCommand::SetMember(SetTeamMember { user_id, role })
}

fn remove(user_id: UserId) -> TeamCommand {
    TeamCommand::RemoveMember(TeamMemberRef { user_id })
}

fn role_changed(from: TeamMember, to: TeamMember) -> TeamEvent {
    TeamEvent::MemberRoleChanged(MemberRoleChanged { member: Delta::new(from, to) })
}

fn member_removed(member: TeamMember) -> TeamEvent {
    TeamEvent::MemberRemoved(MemberRemoved { member: removed(member) })
}

#[test]
fn an_owner_adds_somebody_in_either_role() {
    for role in [TeamRole::Member, TeamRole::Owner] {
        given(a_team())
            .when(by(OWNER, set(STRANGER, role)))
            .then_expect_events(vec![member_added(TeamMember { user_id: STRANGER, role })]);
    }
}

#[test]
fn an_owner_changes_the_role_of_a_member() {
    given(a_team())
        .when(by(OWNER, set(MEMBER, TeamRole::Owner)))
        .then_expect_events(vec![role_changed(member(MEMBER), owner(MEMBER))]);
}

#[test]
fn a_member_who_has_the_role_already_keeps_it() {
    given(a_team()).when(by(OWNER, set(MEMBER, TeamRole::Member))).then_expect_events(vec![]);
    given(a_team()).when(by(OWNER, set(OWNER, TeamRole::Owner))).then_expect_events(vec![]);
}

#[test]
fn a_team_has_a_maximum_of_members() {
    let many = (2..MEMBERS_PER_TEAM as u128).map(|number| member_added(member(id(number))));
    let full = a_team_with(many);
    given(full.clone())
        .when(by(OWNER, set(STRANGER, TeamRole::Member)))
        .then_expect_error(Refusal::invalid("", "a team has at most 1000 members"));
    given(full)
        .when(by(OWNER, set(MEMBER, TeamRole::Owner)))
        .then_expect_events(vec![role_changed(member(MEMBER), owner(MEMBER))]);
}

#[test]
fn an_owner_removes_a_member() {
    given(a_team()).when(by(OWNER, remove(MEMBER))).then_expect_events(vec![member_removed(member(MEMBER))]);
}

#[test]
fn a_member_may_leave_a_team() {
    given(a_team()).when(by(MEMBER, remove(MEMBER))).then_expect_events(vec![member_removed(member(MEMBER))]);
}

#[test]
fn somebody_who_is_not_in_the_team_cannot_be_removed_from_it() {
    given(a_team()).when(by(OWNER, remove(STRANGER))).then_expect_error(Refusal::NotFound);
}

#[test]
fn the_last_owner_of_a_team_stays_its_owner() {
    for command in [remove(OWNER), set(OWNER, TeamRole::Member)] {
        given(a_team()).when(by(OWNER, command)).then_expect_error(Refusal::LastOwner);
    }
}

#[test]
fn one_of_two_owners_may_leave() {
    let two = || a_team_with([member_added(owner(STRANGER))]);
    given(two()).when(by(OWNER, remove(OWNER))).then_expect_events(vec![member_removed(owner(OWNER))]);
    given(two())
        .when(by(OWNER, set(OWNER, TeamRole::Member)))
        .then_expect_events(vec![role_changed(owner(OWNER), member(OWNER))]);
}
