//! Creating a task: where it goes, what it may name, and the status that its column gives it.

use taskfold_domain::limits::{ASSIGNEES_PER_TASK, LABELS_PER_TASK};

use crate::fixtures::task::*;

fn create() -> CreateTask {
    CreateTask::new(text("T"))
}

fn creates(create: CreateTask) -> Request {
    by(MEMBER, TaskCommand::Create(Box::new(create)))
}

/// Creation at second `NOW`.
fn created_now() -> Created {
    Created { rank: added(rank(NOW)), ..created() }
}

/// Creation in a column at second `NOW`, and the step of entering it.
fn created_in(column: ColumnId, step: Option<TaskEvent>) -> Vec<TaskEvent> {
    task_of(Created { column_id: added(column), ..created_now() }).into_iter().chain(step).collect()
}

#[test]
fn a_task_goes_to_the_end_of_the_first_column_of_things_to_do() {
    given(vec![]).when(creates(create())).then_expect_events(task_of(created_now()));
}

#[test]
fn a_task_has_the_fields_that_it_is_created_with() {
    let request = creates(CreateTask {
        id: Some(TASK),
        title: text("Ship it"),
        description: Some(text("today")),
        column_id: Some(TODO),
        assignee_ids: vec![VIEWER, MEMBER],
        label_ids: vec![BUG],
        priority: Priority::High,
        start_at: Some(at(1000).into()),
        due_at: Some(at(2000).into()),
        estimate_minutes: Some(number(30)),
        parent_id: Some(OTHER_TASK),
        run: false,
    });
    given(vec![]).when(request.with(|facts| facts.other = Some(task_with([])))).then_expect_events(task_of(Created {
        title: added_text("Ship it"),
        description: added_text("today"),
        assignee_ids: added(vec![VIEWER, MEMBER]),
        label_ids: added(vec![BUG]),
        priority: added(Priority::High),
        start_at: added(Some(at(1000))),
        due_at: added(Some(at(2000))),
        estimate_minutes: added(Some(30)),
        parent_id: added(Some(OTHER_TASK)),
        ..created_now()
    }));
}

#[test]
fn people_and_labels_that_are_named_twice_count_once() {
    let request =
        creates(CreateTask { assignee_ids: vec![MEMBER, OWNER, MEMBER], label_ids: vec![BUG, BUG], ..create() });
    given(vec![]).when(request).then_expect_events(task_of(Created {
        assignee_ids: added(vec![MEMBER, OWNER]),
        label_ids: added(vec![BUG]),
        ..created_now()
    }));
}

#[test]
fn a_task_has_the_status_of_the_column_that_it_is_created_in() {
    let cases = [
        (TODO, None),
        (DOING, Some(TaskEvent::Started(runs(Status::Todo, NOW)))),
        (DONE, Some(TaskEvent::Completed(step(Status::Todo, Status::Completed)))),
    ];
    for (column, step) in cases {
        given(vec![])
            .when(creates(CreateTask { column_id: Some(column), ..create() }))
            .then_expect_events(created_in(column, step));
    }
}

#[test]
fn a_task_that_is_started_at_creation_is_in_the_first_column_in_progress() {
    let started = || Some(TaskEvent::Started(runs(Status::Todo, NOW)));
    given(vec![]).when(creates(CreateTask { run: true, ..create() })).then_expect_events(created_in(DOING, started()));
    given(vec![])
        .when(creates(CreateTask { run: true, column_id: Some(TODO), ..create() }))
        .then_expect_events(created_in(TODO, started()));
}

#[test]
fn a_task_goes_to_the_first_open_column_when_there_is_none_of_its_category() {
    let without = |column| project_with([project::column_archived(column)]);
    given(vec![])
        .when(creates(create()).with(|facts| facts.project = without(TODO)))
        .then_expect_events(created_in(DOING, None));
    given(vec![])
        .when(creates(CreateTask { run: true, ..create() }).with(|facts| facts.project = without(DOING)))
        .then_expect_events(created_in(TODO, Some(TaskEvent::Started(runs(Status::Todo, NOW)))));
}

#[test]
fn a_task_does_not_run_in_a_column_of_things_done() {
    given(vec![])
        .when(creates(CreateTask { run: true, column_id: Some(DONE), ..create() }))
        .then_expect_error(Refusal::invalid("/run", "a task in a column of the category `done` does not run"));
}

#[test]
fn a_task_is_not_due_before_it_starts() {
    let time = |second: i64| serde_json::from_value(serde_json::json!(at(second))).ok();
    let from_to = |start, due| creates(CreateTask { start_at: time(start), due_at: time(due), ..create() });
    given(vec![]).when(from_to(50, 50)).inspect_result().unwrap();
    given(vec![]).when(from_to(51, 50)).then_expect_error(Refusal::invalid(
        "/due_at",
        "a task is not due before it starts: `start_at` must not be after `due_at`",
    ));
    given(vec![]).when(from_to(51, 50).with(|facts| facts.origin = Origin::Import)).inspect_result().unwrap();
}

#[test]
fn a_project_without_an_open_column_takes_no_tasks() {
    let none = project_with([TODO, DOING, DONE].map(project::column_archived));
    given(vec![])
        .when(creates(create()).with(|facts| facts.project = none))
        .then_expect_error(Refusal::invalid("/column_id", "the project has no column"));
}

#[test]
fn a_task_cannot_be_created_in_a_column_that_is_not_there_or_archived() {
    let in_column = |column| creates(CreateTask { column_id: Some(column), ..create() });
    given(vec![])
        .when(in_column(id(1)))
        .then_expect_error(Refusal::invalid("/column_id", "not a column of the project"));
    given(vec![])
        .when(in_column(TODO).with(|facts| facts.project = project_with([project::column_archived(TODO)])))
        .then_expect_error(Refusal::invalid("/column_id", "the column is archived"));
}

#[test]
fn an_import_may_put_a_task_into_an_archived_column_at_a_rank_of_its_own() {
    let imported = creates(CreateTask { column_id: Some(TODO), ..create() }).with(|facts| {
        facts.origin = Origin::Import;
        facts.rank = Some(rank(5));
        facts.project = project_with([project::column_archived(TODO)]);
    });
    given(vec![]).when(imported).then_expect_events(task_of(Created { rank: added(rank(5)), ..created() }));
}

#[test]
fn only_people_with_a_role_in_the_project_can_be_assigned() {
    let request = || creates(CreateTask { assignee_ids: vec![MEMBER, MEMBER, STRANGER], ..create() });
    given(vec![]).when(request()).then_expect_error(Refusal::invalid("/assignee_ids/2", "not a member of the project"));
    // Imported history may name people who have left since.
    given(vec![])
        .when(request().with(|facts| facts.origin = Origin::Import))
        .then_expect_events(task_of(Created { assignee_ids: added(vec![MEMBER, STRANGER]), ..created_now() }));
}

#[test]
fn only_labels_of_the_project_can_be_put_on_a_task() {
    given(vec![])
        .when(creates(CreateTask { label_ids: vec![BUG, BUG, id(1)], ..create() }))
        .then_expect_error(Refusal::invalid("/label_ids/2", "not a label of the project"));
}

#[test]
fn a_new_task_has_a_maximum_of_assignees_and_labels() {
    let assignee_ids = (0..=ASSIGNEES_PER_TASK).map(|n| id(n as u128)).collect();
    given(vec![])
        .when(creates(CreateTask { assignee_ids, ..create() }))
        .then_expect_error(Refusal::invalid("/assignee_ids", "at most 50"));
    let label_ids = (0..=LABELS_PER_TASK).map(|n| id(n as u128)).collect();
    given(vec![])
        .when(creates(CreateTask { label_ids, ..create() }))
        .then_expect_error(Refusal::invalid("/label_ids", "at most 50"));
}

#[test]
fn a_task_is_not_created_as_a_part_of_itself() {
    let own_id = |id, parent| creates(CreateTask { id, parent_id: Some(parent), ..create() });
    for request in [own_id(Some(TASK), TASK), own_id(None, TaskId(FRESH))] {
        given(vec![])
            .when(request.with(|facts| facts.other = Some(task_with([]))))
            .then_expect_error(Refusal::invalid("/parent_id", "a task is not its own parent"));
    }
}

#[test]
fn a_task_is_created_as_a_part_of_a_task_of_the_project_only() {
    let part = || creates(CreateTask { parent_id: Some(OTHER_TASK), ..create() });
    for other in no_tasks_of_the_project() {
        given(vec![])
            .when(part().with(|facts| facts.other = other))
            .then_expect_error(Refusal::invalid("/parent_id", "not a task of the project"));
    }
    given(vec![])
        .when(part().with(|facts| facts.other = Some(task_with([deleted()]))))
        .then_expect_error(deleted_other("/parent_id"));
}

#[test]
fn the_id_of_a_task_is_given_out_once_even_when_the_task_is_deleted() {
    for task in [a_task(), a_task_with([deleted()])] {
        given(task).when(creates(create())).then_expect_error(Refusal::AlreadyExists);
    }
}
