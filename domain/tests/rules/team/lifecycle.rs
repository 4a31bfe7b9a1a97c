//! Creating, renaming and deleting a team.

use crate::fixtures::team::*;

fn create() -> TeamCommand {
    TeamCommand::Create(CreateTeam { id: None, name: text("Design") })
}

fn rename(name: &str) -> TeamCommand {
    TeamCommand::Edit(EditTeam { name: Some(text(name)) })
}

fn deleted() -> TeamEvent {
    TeamEvent::Deleted(Deleted { members: removed(vec![owner(OWNER), member(MEMBER)]) })
}

#[test]
fn the_creator_of_a_team_is_its_owner() {
    given(vec![]).when(by(STRANGER, create())).then_expect_events(vec![TeamEvent::Created(Created {
        id: added(TEAM),
        name: added_text("Design"),
        members: added(vec![owner(STRANGER)]),
    })]);
}

#[test]
fn the_id_of_a_team_is_given_out_once_even_when_the_team_is_deleted() {
    for team in [a_team(), a_team_with([deleted()])] {
        given(team).when(by(OWNER, create())).then_expect_error(Refusal::AlreadyExists);
    }
}

#[test]
fn an_owner_renames_a_team() {
    given(a_team())
        .when(by(OWNER, rename("Print")))
        .then_expect_events(vec![TeamEvent::Renamed(Renamed { name: changed_text("Design", "Print") })]);
}

#[test]
fn a_team_that_has_the_name_already_stays_as_it_is() {
    for edit in [rename("Design"), TeamCommand::Edit(EditTeam { name: None })] {
        given(a_team()).when(by(OWNER, edit)).then_expect_events(vec![]);
    }
}

#[test]
fn a_deleted_team_names_the_members_who_lose_their_roles() {
    given(a_team()).when(by(OWNER, TeamCommand::Delete(Empty {}))).then_expect_events(vec![deleted()]);
}
