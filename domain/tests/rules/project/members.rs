//! Members of a project, and joining by invitation.

use crate::fixtures::project::*;

const ROLES: [Role; 4] = [Role::Viewer, Role::Member, Role::Admin, Role::Owner];

fn set(user_id: UserId, role: Role) -> ProjectCommand {
    ProjectCommand::SetMember(SetMember { user_id, role })
}

fn remove(user_id: UserId) -> ProjectCommand {
    ProjectCommand::RemoveMember(MemberRef { user_id })
}

fn invited_by(actor: UserId, invitation: Option<Invitation>) -> Request {
    by(actor, ProjectCommand::Join(Empty {})).with(|facts| facts.invitation = invitation)
}

fn joins(actor: UserId, invited: Option<Role>) -> Request {
    invited_by(actor, invited.map(invitation))
}

fn role_changed(user_id: UserId, from: Role, to: Role) -> ProjectEvent {
    let member = |role| Member { user_id, role };
    ProjectEvent::MemberRoleChanged(MemberRoleChanged { member: Delta::new(member(from), member(to)) })
}

pub(super) fn member_removed(user_id: UserId, role: Role) -> ProjectEvent {
    ProjectEvent::MemberRemoved(MemberRemoved { member: removed(Member { user_id, role }), left: None })
}

fn left(user_id: UserId, role: Role) -> ProjectEvent {
    ProjectEvent::MemberRemoved(MemberRemoved { member: removed(Member { user_id, role }), left: Some(added(true)) })
}

#[test]
fn an_owner_adds_somebody_in_any_role() {
    for role in ROLES {
        given(a_project()).when(by(OWNER, set(STRANGER, role))).then_expect_events(vec![member_added(STRANGER, role)]);
    }
}

#[test]
fn an_owner_changes_the_role_of_anybody() {
    given(a_project()).when(by(OWNER, set(MEMBER, Role::Owner))).then_expect_events(vec![role_changed(
        MEMBER,
        Role::Member,
        Role::Owner,
    )]);
    given(a_project_with([member_added(STRANGER, Role::Owner)]))
        .when(by(OWNER, set(STRANGER, Role::Viewer)))
        .then_expect_events(vec![role_changed(STRANGER, Role::Owner, Role::Viewer)]);
}

#[test]
fn an_admin_gives_and_takes_the_roles_below_the_owners() {
    given(a_project())
        .when(by(ADMIN, set(STRANGER, Role::Admin)))
        .then_expect_events(vec![member_added(STRANGER, Role::Admin)]);
    given(a_project()).when(by(ADMIN, set(VIEWER, Role::Admin))).then_expect_events(vec![role_changed(
        VIEWER,
        Role::Viewer,
        Role::Admin,
    )]);
    given(a_project()).when(by(ADMIN, remove(VIEWER))).then_expect_events(vec![member_removed(VIEWER, Role::Viewer)]);
}

#[test]
fn an_admin_neither_makes_nor_changes_nor_removes_an_owner() {
    let commands = [set(STRANGER, Role::Owner), set(ADMIN, Role::Owner), set(OWNER, Role::Viewer), remove(OWNER)];
    for command in commands {
        given(a_project()).when(by(ADMIN, command)).then_expect_error(Refusal::OwnersOnly);
    }
}

#[test]
fn a_member_who_has_the_role_already_keeps_it() {
    for (user, role) in EVERYBODY {
        if let Some(role) = role {
            given(a_project()).when(by(OWNER, set(user, role))).then_expect_events(vec![]);
        }
    }
}

#[test]
fn everybody_may_leave_a_project_whatever_their_role() {
    for (user, role) in [(VIEWER, Role::Viewer), (MEMBER, Role::Member), (ADMIN, Role::Admin)] {
        given(a_project()).when(by(user, remove(user))).then_expect_events(vec![left(user, role)]);
    }
}

#[test]
fn somebody_who_is_not_a_member_cannot_be_removed() {
    given(a_project()).when(by(OWNER, remove(STRANGER))).then_expect_error(Refusal::NotFound);
}

#[test]
fn the_last_owner_of_a_project_stays_its_owner() {
    for command in [remove(OWNER), set(OWNER, Role::Admin)] {
        given(a_project()).when(by(OWNER, command)).then_expect_error(Refusal::LastOwner);
    }
}

/// A team may be deleted, by people who have nothing to do with the project.
#[test]
fn an_owner_through_a_team_does_not_count_as_another_owner() {
    given(a_project_with([team_added(Role::Owner)]))
        .when(by(OWNER, remove(OWNER)).with(|facts| facts.teams = vec![team::team_with([])]))
        .then_expect_error(Refusal::LastOwner);
}

#[test]
fn one_of_two_owners_may_leave() {
    let two = || a_project_with([member_added(STRANGER, Role::Owner)]);
    given(two()).when(by(OWNER, remove(OWNER))).then_expect_events(vec![left(OWNER, Role::Owner)]);
    given(two()).when(by(OWNER, set(OWNER, Role::Member))).then_expect_events(vec![role_changed(
        OWNER,
        Role::Owner,
        Role::Member,
    )]);
}

#[test]
fn somebody_with_an_invitation_joins_in_its_role() {
    for role in ROLES {
        given(a_project()).when(joins(STRANGER, Some(role))).then_expect_events(vec![member_added(STRANGER, role)]);
    }
}

#[test]
fn an_invitation_raises_the_role_of_a_member_and_never_lowers_it() {
    given(a_project()).when(joins(VIEWER, Some(Role::Admin))).then_expect_events(vec![role_changed(
        VIEWER,
        Role::Viewer,
        Role::Admin,
    )]);
    for (actor, role) in [(MEMBER, Role::Member), (OWNER, Role::Viewer)] {
        given(a_project()).when(joins(actor, Some(role))).then_expect_events(vec![]);
    }
}

#[test]
fn an_invitation_to_less_than_the_role_through_a_team_changes_nothing() {
    given(a_project_with([team_added(Role::Admin), member_removed(MEMBER, Role::Member)]))
        .when(joins(MEMBER, Some(Role::Member)).with(|facts| facts.teams = vec![team::team_with([])]))
        .then_expect_events(vec![]);
}

#[test]
fn nobody_joins_without_an_invitation() {
    for (actor, _) in EVERYBODY {
        given(a_project()).when(joins(actor, None)).then_expect_error(Refusal::NotFound);
    }
}

#[test]
fn nobody_joins_an_archived_project() {
    given(a_project_with([archived()]))
        .when(joins(STRANGER, Some(Role::Member)))
        .then_expect_error(Refusal::ProjectArchived);
    given(a_project_with([archived()])).when(joins(MEMBER, Some(Role::Member))).then_expect_events(vec![]);
}

#[test]
fn an_invitation_gives_only_what_its_maker_may_give_now() {
    let by_admin = |role| Some(Invitation { made_by: ADMIN, ..invitation(role) });
    for role in [Role::Viewer, Role::Member, Role::Admin] {
        given(a_project())
            .when(invited_by(STRANGER, by_admin(role)))
            .then_expect_events(vec![member_added(STRANGER, role)]);
    }
    given(a_project()).when(invited_by(STRANGER, by_admin(Role::Owner))).then_expect_error(Refusal::NotFound);
    for (maker, role) in EVERYBODY {
        if role.is_none_or(|role| role < Role::Admin) {
            let made = Invitation { made_by: maker, ..invitation(Role::Viewer) };
            let guest = UserId(Uuid::from_u128(0x77));
            given(a_project()).when(invited_by(guest, Some(made))).then_expect_error(Refusal::NotFound);
        }
    }
}

/// Also if they get the role back: the invitation was made with an authority that ended.
#[test]
fn an_invitation_ends_when_its_maker_loses_authority() {
    let by_admin = Some(Invitation { made_by: ADMIN, ..invitation(Role::Viewer) });
    let losses = [
        vec![role_changed(ADMIN, Role::Admin, Role::Member), role_changed(ADMIN, Role::Member, Role::Admin)],
        vec![member_removed(ADMIN, Role::Admin), member_added(ADMIN, Role::Owner)],
        vec![left(ADMIN, Role::Admin), member_added(ADMIN, Role::Admin)],
    ];
    for loss in losses {
        let project = a_project_with(loss);
        let later = Some(Invitation { made_by: ADMIN, made_at: project.len() as u64, ..invitation(Role::Viewer) });
        given(project.clone()).when(invited_by(STRANGER, by_admin)).then_expect_error(Refusal::NotFound);
        given(project).when(invited_by(STRANGER, later)).then_expect_events(vec![member_added(STRANGER, Role::Viewer)]);
    }
    given(a_project_with([role_changed(ADMIN, Role::Admin, Role::Owner)]))
        .when(invited_by(STRANGER, by_admin))
        .then_expect_events(vec![member_added(STRANGER, Role::Viewer)]);
}

#[test]
fn nobody_raises_or_readmits_themselves_by_their_own_invitation() {
    let own = |role| Some(Invitation { made_by: ADMIN, ..invitation(role) });
    given(a_project()).when(invited_by(ADMIN, own(Role::Owner))).then_expect_error(Refusal::NotFound);
    for event in [member_removed(ADMIN, Role::Admin), left(ADMIN, Role::Admin)] {
        given(a_project_with([event])).when(invited_by(ADMIN, own(Role::Viewer))).then_expect_error(Refusal::NotFound);
    }
}

#[test]
fn an_invitation_does_not_give_back_what_was_taken_after_it_was_made() {
    let demoted = a_project_with([role_changed(MEMBER, Role::Member, Role::Viewer)]);
    let removed = a_project_with([member_removed(MEMBER, Role::Member)]);
    for project in [demoted, removed] {
        let later = Some(Invitation { made_at: project.len() as u64, ..invitation(Role::Member) });
        given(project.clone()).when(joins(MEMBER, Some(Role::Member))).then_expect_error(Refusal::NotFound);
        let joined = folded::<Project>(&project).board().and_then(|board| board.role_of(MEMBER));
        let expected = match joined {
            Some(role) => role_changed(MEMBER, role, Role::Member),
            None => member_added(MEMBER, Role::Member),
        };
        given(project).when(invited_by(MEMBER, later)).then_expect_events(vec![expected]);
    }
}

#[test]
fn leaving_does_not_undo_a_demotion_or_a_removal() {
    let demoted = a_project_with([role_changed(MEMBER, Role::Member, Role::Viewer), left(MEMBER, Role::Viewer)]);
    let removed = a_project_with([
        member_removed(MEMBER, Role::Member),
        member_added(MEMBER, Role::Viewer),
        left(MEMBER, Role::Viewer),
    ]);
    for project in [demoted, removed] {
        let later = Some(Invitation { made_at: project.len() as u64 - 1, ..invitation(Role::Member) });
        given(project.clone()).when(joins(MEMBER, Some(Role::Member))).then_expect_error(Refusal::NotFound);
        given(project).when(invited_by(MEMBER, later)).then_expect_events(vec![member_added(MEMBER, Role::Member)]);
    }
}

#[test]
fn somebody_who_left_comes_back_only_by_an_invitation() {
    let project = || a_project_with([left(MEMBER, Role::Member)]);
    for actor in [OWNER, ADMIN] {
        given(project()).when(by(actor, set(MEMBER, Role::Viewer))).then_expect_error(Refusal::HasLeft);
    }
    given(project())
        .when(joins(MEMBER, Some(Role::Member)))
        .then_expect_events(vec![member_added(MEMBER, Role::Member)]);
    given(a_project_with([left(MEMBER, Role::Member), member_added(MEMBER, Role::Member)]))
        .when(by(OWNER, set(MEMBER, Role::Admin)))
        .then_expect_events(vec![role_changed(MEMBER, Role::Member, Role::Admin)]);
    given(a_project_with([member_removed(MEMBER, Role::Member)]))
        .when(by(OWNER, set(MEMBER, Role::Member)))
        .then_expect_events(vec![member_added(MEMBER, Role::Member)]);
}
