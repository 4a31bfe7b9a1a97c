//! Creating, editing, archiving and restoring a project.

use std::sync::Arc;

use taskfold_domain::limits::COLUMNS_PER_PROJECT;
use taskfold_domain::project::Board;

use crate::fixtures::project::*;

fn create() -> CreateProject {
    CreateProject { id: None, name: text("P"), description: None, columns: None, template_id: None }
}

fn creates(create: CreateProject) -> Request {
    by(STRANGER, ProjectCommand::Create(create))
}

fn new_column(id: Option<ColumnId>) -> NewColumn {
    NewColumn {
        id,
        name: text("Review"),
        category: Category::InProgress,
        wip_limit: None,
        wip_policy: WipPolicy::Advisory,
    }
}

/// Id number `index` of those that are counted on from the one that came with the command.
fn numbered(index: u128) -> ColumnId {
    ColumnId(Uuid::from_u128(FRESH.as_u128() + index))
}

fn created_by_stranger(columns: Vec<Column>, labels: Option<Vec<Label>>) -> Created {
    Created {
        columns: added(columns),
        members: added(vec![Member { user_id: STRANGER, role: Role::Owner }]),
        labels: labels.map(added),
        ..created()
    }
}

fn project_created(columns: Vec<Column>, labels: Option<Vec<Label>>) -> ProjectEvent {
    ProjectEvent::Created(Box::new(created_by_stranger(columns, labels)))
}

/// The project as a template, with more events.
fn template(events: impl IntoIterator<Item = ProjectEvent>) -> Option<Arc<Board>> {
    project_with(events).board().map(|board| Arc::new(board.clone()))
}

#[test]
fn the_creator_of_a_project_is_its_owner_and_gets_three_columns() {
    let columns = vec![
        column(numbered(0), "To do", Category::Todo, 1),
        column(numbered(1), "In progress", Category::InProgress, 2),
        column(numbered(2), "Done", Category::Done, 3),
    ];
    given(vec![]).when(creates(create())).then_expect_events(vec![project_created(columns, None)]);
}

#[test]
fn a_project_is_created_with_the_columns_that_are_asked_for_in_their_order() {
    let limited = NewColumn {
        name: text("Doing"),
        wip_limit: Some(number(3)),
        wip_policy: WipPolicy::Enforced,
        ..new_column(Some(DOING))
    };
    let request = creates(CreateProject {
        description: Some(text("about")),
        columns: Some(vec![limited, new_column(None)]),
        ..create()
    });
    let doing = column(DOING, "Doing", Category::InProgress, 1);
    let columns = vec![
        Column { wip_limit: Some(3), wip_policy: WipPolicy::Enforced, ..doing },
        column(numbered(1), "Review", Category::InProgress, 2),
    ];
    let described = Created { description: added_text("about"), ..created_by_stranger(columns, None) };
    given(vec![]).when(request).then_expect_events(vec![ProjectEvent::Created(Box::new(described))]);
}

#[test]
fn a_project_has_at_least_one_column_and_a_maximum() {
    for count in [0, COLUMNS_PER_PROJECT + 1] {
        let columns = Some(vec![new_column(None); count]);
        given(vec![])
            .when(creates(CreateProject { columns, ..create() }))
            .then_expect_error(Refusal::invalid("/columns", "must have 1 to 50 columns"));
    }
}

#[test]
fn two_columns_of_a_new_project_cannot_have_the_same_id() {
    let columns = Some(vec![new_column(Some(TODO)), new_column(Some(DOING)), new_column(Some(TODO))]);
    given(vec![])
        .when(creates(CreateProject { columns, ..create() }))
        .then_expect_error(Refusal::invalid("/columns/2/id", "the same id twice"));
}

#[test]
fn a_template_gives_its_open_columns_and_its_labels_with_new_ids() {
    let request = creates(CreateProject { template_id: Some(PROJECT), ..create() });
    let columns = vec![column(numbered(0), "To do", Category::Todo, 1), column(numbered(1), "Done", Category::Done, 2)];
    let labels = vec![Label { id: numbered(2).0.into(), ..bug() }];
    given(vec![])
        .when(request.with(|facts| facts.template = template([column_archived(DOING)])))
        .then_expect_events(vec![project_created(columns, Some(labels))]);
}

#[test]
fn columns_that_are_asked_for_replace_those_of_the_template() {
    let columns = Some(vec![new_column(Some(TODO))]);
    let request = creates(CreateProject { template_id: Some(PROJECT), columns, ..create() });
    let columns = vec![column(TODO, "Review", Category::InProgress, 1)];
    let labels = vec![Label { id: numbered(1).0.into(), ..bug() }];
    given(vec![])
        .when(request.with(|facts| facts.template = template([])))
        .then_expect_events(vec![project_created(columns, Some(labels))]);
}

#[test]
fn a_template_without_labels_gives_none() {
    let request = creates(CreateProject { template_id: Some(PROJECT), ..create() });
    let without = template([ProjectEvent::LabelRemoved(LabelRemoved { label: removed(bug()) })]);
    let columns = vec![
        column(numbered(0), "To do", Category::Todo, 1),
        column(numbered(1), "Doing", Category::InProgress, 2),
        column(numbered(2), "Done", Category::Done, 3),
    ];
    given(vec![])
        .when(request.with(|facts| facts.template = without))
        .then_expect_events(vec![project_created(columns, None)]);
}

#[test]
fn the_id_of_a_project_is_given_out_once() {
    for actor in [OWNER, STRANGER] {
        given(a_project()).when(by(actor, ProjectCommand::Create(create()))).then_expect_error(Refusal::AlreadyExists);
    }
}

#[test]
fn an_admin_renames_and_describes_a_project() {
    let edit = EditProject { name: Some(text("Q")), description: Some(Some(text("about"))) };
    given(a_project()).when(by(ADMIN, ProjectCommand::Edit(edit))).then_expect_events(vec![
        ProjectEvent::Renamed(Renamed { name: changed_text("P", "Q") }),
        ProjectEvent::Described(Described { description: changed_text("", "about") }),
    ]);
}

#[test]
fn a_description_of_null_is_empty() {
    let described = ProjectEvent::Described(Described { description: changed_text("", "about") });
    given(a_project_with([described]))
        .when(by(ADMIN, ProjectCommand::Edit(EditProject { name: None, description: Some(None) })))
        .then_expect_events(vec![ProjectEvent::Described(Described { description: changed_text("about", "") })]);
}

#[test]
fn a_project_that_is_edited_to_what_it_is_stays_as_it_is() {
    for edit in [EditProject::default(), EditProject { name: Some(text("P")), description: Some(None) }] {
        given(a_project()).when(by(ADMIN, ProjectCommand::Edit(edit))).then_expect_events(vec![]);
    }
}

#[test]
fn an_owner_archives_a_project_once() {
    let archive = || by(OWNER, ProjectCommand::Archive(Empty {}));
    given(a_project()).when(archive()).then_expect_events(vec![archived()]);
    given(a_project_with([archived()])).when(archive()).then_expect_events(vec![]);
}

#[test]
fn an_owner_restores_an_archived_project() {
    let restore = || by(OWNER, ProjectCommand::Restore(Empty {}));
    given(a_project_with([archived()]))
        .when(restore())
        .then_expect_events(vec![ProjectEvent::Restored(Archived { archived: Delta::new(true, false) })]);
    given(a_project()).when(restore()).then_expect_events(vec![]);
}
