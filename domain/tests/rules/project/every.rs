//! Rules that hold for every command on a project: who may send it, and what an archived project still accepts.

use taskfold_domain::project::allowed;

use crate::fixtures::project::*;

/// A command of each type that changes the project of `given`, with the lowest role that may send it. Creation needs no
/// role, and joining an invitation: they have rules of their own.
fn every() -> Vec<(Role, ProjectCommand)> {
    let column = ColumnRef { column_id: TODO };
    vec![
        (Role::Admin, ProjectCommand::Edit(EditProject { name: Some(text("Q")), description: None })),
        (
            Role::Admin,
            ProjectCommand::AddColumn(AddColumn {
                id: None,
                name: text("Review"),
                category: Category::Todo,
                wip_limit: None,
                wip_policy: WipPolicy::Advisory,
                after: None,
            }),
        ),
        (
            Role::Admin,
            ProjectCommand::EditColumn(EditColumn {
                column_id: TODO,
                change: ColumnPatch { name: Some(text("Next")), ..ColumnPatch::default() },
            }),
        ),
        (Role::Admin, ProjectCommand::ArchiveColumn(column)),
        (Role::Admin, ProjectCommand::RestoreColumn(ColumnRef { column_id: DONE })),
        (Role::Admin, ProjectCommand::RemoveColumn(column)),
        (Role::Admin, ProjectCommand::AddLabel(AddLabel { id: None, name: text("idea"), color: text("blue") })),
        (
            Role::Admin,
            ProjectCommand::EditLabel(EditLabel {
                label_id: BUG,
                change: LabelPatch { name: Some(text("fault")), color: None },
            }),
        ),
        (Role::Admin, ProjectCommand::RemoveLabel(LabelRef { label_id: BUG })),
        (Role::Admin, ProjectCommand::SetMember(SetMember { user_id: id(1), role: Role::Admin })),
        (Role::Admin, ProjectCommand::RemoveMember(MemberRef { user_id: id(2) })),
        (Role::Owner, ProjectCommand::Archive(Empty {})),
        (Role::Owner, ProjectCommand::Restore(Empty {})),
        (Role::Admin, ProjectCommand::SetTeam(SetTeam { team_id: TEAM, role: Role::Member })),
        (Role::Admin, ProjectCommand::RemoveTeam(TeamRef { team_id: TEAM })),
        (Role::Viewer, ProjectCommand::Watch(Empty {})),
        (Role::Viewer, ProjectCommand::Unwatch(Empty {})),
        (Role::Member, ProjectCommand::AddFilter(AddFilter { id: None, name: text("Late"), query: text("q=late") })),
        (
            Role::Member,
            ProjectCommand::EditFilter(EditFilter {
                filter_id: FILTER,
                change: FilterPatch { name: Some(text("Late")), query: None },
            }),
        ),
        (Role::Member, ProjectCommand::RemoveFilter(FilterRef { filter_id: FILTER })),
    ]
}

/// A project in which each command of the table changes something when `actor` sends it, but for archiving it when it
/// is archived, and restoring it when it is not.
fn a_full_project(actor: UserId, command: &ProjectCommand) -> Vec<ProjectEvent> {
    let filter = SavedFilter { id: FILTER, name: "Urgent".to_owned(), query: String::new() };
    let mut events = a_project_with([
        column_archived(DONE),
        member_added(id(2), Role::Member),
        team_added(Role::Viewer),
        ProjectEvent::FilterAdded(FilterAdded { filter: added(filter) }),
    ]);
    if matches!(command, ProjectCommand::Unwatch(_)) {
        events.push(ProjectEvent::Watched(Watched { watcher: added(Watcher { user_id: actor }) }));
    }
    events
}

fn name_of(command: &ProjectCommand) -> &'static str {
    command.name().strip_prefix("project.").unwrap()
}

#[test]
fn the_table_has_every_command_but_creation_and_joining() {
    let named: Vec<_> = every().iter().map(|(_, command)| command.name()).collect();
    let own = ["project.create", "project.join"];
    let all: Vec<_> = ProjectCommand::TABLE.iter().map(|(name, _)| *name).filter(|name| !own.contains(name)).collect();
    assert_eq!(named, all);
}

#[test]
fn each_role_sends_its_commands_and_a_stranger_learns_nothing() {
    for (needs, command) in every() {
        for (actor, role) in EVERYBODY {
            let mut project = a_full_project(actor, &command);
            if matches!(command, ProjectCommand::Restore(_)) {
                project.push(archived());
            }
            let result = given(project.clone()).when(by(actor, command.clone())).inspect_result();
            match role {
                None => assert_eq!(result, Err(Refusal::NotFound), "{command:?}"),
                Some(role) if role < needs => assert_eq!(result, Err(Refusal::Forbidden { needs }), "{command:?}"),
                Some(_) => {
                    let events = result.unwrap();
                    assert!(!events.is_empty(), "{command:?}");
                    let _: Project = folded(&[project, events].concat());
                }
            }
        }
    }
}

#[test]
fn an_archived_project_accepts_only_leaving_watching_and_its_restoration() {
    let accepted = ["remove_member", "archive", "restore", "remove_team", "watch", "unwatch"];
    for (_, command) in every() {
        let mut project = a_full_project(OWNER, &command);
        project.push(archived());
        let result = given(project).when(by(OWNER, command.clone())).inspect_result();
        if accepted.contains(&name_of(&command)) {
            assert!(result.is_ok(), "{command:?}");
        } else {
            assert_eq!(result, Err(Refusal::ProjectArchived), "{command:?}");
        }
    }
}

/// Clients show `allowed_commands` as buttons: commands that would be accepted and would change something.
#[test]
fn allowed_commands_are_those_that_change_something() {
    for is_archived in [false, true] {
        for (actor, role) in EVERYBODY {
            let Some(role) = role else { continue };
            let changes = |command: &ProjectCommand| {
                let mut project = a_full_project(actor, command);
                project.extend(is_archived.then(archived));
                let events = given(project).when(by(actor, command.clone())).inspect_result();
                events.is_ok_and(|events| !events.is_empty())
            };
            let mut listed = allowed(role, is_archived);
            listed.retain(|name| *name != "create_task");
            let accepted: Vec<_> =
                every().iter().map(|(_, command)| command).filter(|c| changes(c)).map(name_of).collect();
            assert_eq!(listed, accepted, "{role:?}, archived: {is_archived}");
        }
    }
}

#[test]
fn a_project_that_does_not_exist_is_not_found() {
    let joins =
        by(OWNER, ProjectCommand::Join(Empty {})).with(|facts| facts.invitation = Some(invitation(Role::Owner)));
    given(vec![]).when(joins).then_expect_error(Refusal::NotFound);
    for (_, command) in every() {
        given(vec![]).when(by(OWNER, command)).then_expect_error(Refusal::NotFound);
    }
}

#[test]
fn an_import_needs_no_role_of_the_people_whose_history_it_replays() {
    for (_, command) in every() {
        let mut project = a_full_project(STRANGER, &command);
        if matches!(command, ProjectCommand::Restore(_)) {
            project.push(archived());
        }
        let request = by(STRANGER, command.clone()).with(|facts| facts.origin = Origin::Import);
        let events = given(project).when(request).inspect_result().unwrap();
        assert!(!events.is_empty(), "{command:?}");
    }
}

#[test]
fn a_role_through_a_team_has_the_same_permissions() {
    let edit = || ProjectCommand::Edit(EditProject { name: Some(text("Q")), description: None });
    let renamed = ProjectEvent::Renamed(Renamed { name: changed_text("P", "Q") });
    given(a_project_with([team_added(Role::Admin)]))
        .when(by(MEMBER, edit()).with(|facts| facts.teams = vec![team::team_with([])]))
        .then_expect_events(vec![renamed]);
    given(a_project_with([team_added(Role::Admin)]))
        .when(by(MEMBER, edit()))
        .then_expect_error(Refusal::Forbidden { needs: Role::Admin });
}
