//! Rules that hold for every command on a team: who may send it, and what a team that is not there answers.

use crate::fixtures::team::*;

/// A command of each type that changes the team, but for creation, with the role that it needs.
fn every() -> Vec<(TeamRole, TeamCommand)> {
    vec![
        (TeamRole::Owner, TeamCommand::Edit(EditTeam { name: Some(text("Print")) })),
        (TeamRole::Owner, TeamCommand::SetMember(SetTeamMember { user_id: VIEWER, role: TeamRole::Member })),
        (TeamRole::Owner, TeamCommand::RemoveMember(TeamMemberRef { user_id: ADMIN })),
        (TeamRole::Owner, TeamCommand::Delete(Empty {})),
    ]
}

#[test]
fn the_table_has_every_command_but_creation() {
    let named: Vec<_> = every().iter().map(|(_, command)| command.name()).collect();
    let all: Vec<_> = TeamCommand::TABLE.iter().map(|(name, _)| *name).filter(|name| *name != "team.create").collect();
    assert_eq!(named, all);
}

#[test]
fn each_role_sends_its_commands_and_a_stranger_learns_nothing() {
    let team = a_team_with([member_added(member(ADMIN))]);
    for (needs, command) in every() {
        for (actor, role) in [(STRANGER, None), (MEMBER, Some(TeamRole::Member)), (OWNER, Some(TeamRole::Owner))] {
            let result = given(team.clone()).when(by(actor, command.clone())).inspect_result();
            match role {
                None => assert_eq!(result, Err(Refusal::NotFound), "{command:?}"),
                Some(role) if role < needs => assert_eq!(result, Err(Refusal::TeamOwnersOnly), "{command:?}"),
                Some(_) => {
                    let events = result.unwrap();
                    assert!(!events.is_empty(), "{command:?}");
                    let _: Team = folded(&[team.clone(), events].concat());
                }
            }
        }
    }
}

#[test]
fn a_team_that_does_not_exist_or_is_deleted_is_not_found() {
    let members = vec![owner(OWNER), member(MEMBER)];
    let deleted = a_team_with([TeamEvent::Deleted(Deleted { members: removed(members) })]);
    for team in [vec![], deleted] {
        for (_, command) in every() {
            given(team.clone()).when(by(OWNER, command)).then_expect_error(Refusal::NotFound);
        }
    }
}
