//! Parents and dependencies: the tasks that a task is a part of, or waits for.

use taskfold_domain::limits::DEPENDENCIES_PER_TASK;

use crate::fixtures::task::*;

/// A command that names another task, with what is found of that.
fn naming(command: TaskCommand, other: Option<Arc<Task>>) -> Request {
    by(MEMBER, command).with(|facts| facts.other = other)
}

fn reparent(parent_id: Option<TaskId>) -> TaskCommand {
    TaskCommand::Edit(Box::new(EditTask { parent_id: Some(parent_id), ..EditTask::default() }))
}

fn wait() -> TaskCommand {
    TaskCommand::AddDependency(Dependency { task_id: OTHER_TASK })
}

fn wait_no_longer() -> TaskCommand {
    TaskCommand::RemoveDependency(Dependency { task_id: OTHER_TASK })
}

fn reparented(from: Option<TaskId>, to: Option<TaskId>) -> TaskEvent {
    TaskEvent::Reparented(Reparented { parent_id: Delta::new(from, to) })
}

fn dependencies(from: &[TaskId], to: &[TaskId]) -> Dependencies {
    Dependencies { dependency_ids: Delta::new(from.to_vec(), to.to_vec()) }
}

/// A task that waits for these.
fn waiting_for(tasks: &[TaskId]) -> Vec<TaskEvent> {
    let added = |count: usize| TaskEvent::DependencyAdded(dependencies(&tasks[..count], &tasks[..=count]));
    a_task_with((0..tasks.len()).map(added))
}

/// Both are refused by the append with `Refusal::Cycle` if the tasks would contain one another or wait for one another:
/// it alone sees all tasks at once.
#[test]
fn a_command_that_links_a_task_is_decided_on_the_other_task() {
    for command in [reparent(Some(OTHER_TASK)), wait()] {
        assert_eq!(command.required_facts().other, Some(OTHER_TASK));
    }
    for command in [reparent(None), wait_no_longer()] {
        assert_eq!(command.required_facts().other, None);
    }
}

#[test]
fn a_task_becomes_a_part_of_another_one() {
    given(a_task())
        .when(naming(reparent(Some(OTHER_TASK)), Some(task_with([]))))
        .then_expect_events(vec![reparented(None, Some(OTHER_TASK))]);
    given(a_task_with([reparented(None, Some(id(1)))]))
        .when(naming(reparent(Some(OTHER_TASK)), Some(task_with([]))))
        .then_expect_events(vec![reparented(Some(id(1)), Some(OTHER_TASK))]);
}

#[test]
fn a_part_becomes_a_task_of_its_own_with_a_parent_of_null() {
    given(a_task_with([reparented(None, Some(OTHER_TASK))]))
        .when(naming(reparent(None), None))
        .then_expect_events(vec![reparented(Some(OTHER_TASK), None)]);
    given(a_task()).when(naming(reparent(None), None)).then_expect_events(vec![]);
}

#[test]
fn a_task_that_is_a_part_of_the_other_already_stays_so_even_when_that_is_deleted() {
    given(a_task_with([reparented(None, Some(OTHER_TASK))]))
        .when(naming(reparent(Some(OTHER_TASK)), Some(task_with([deleted()]))))
        .then_expect_events(vec![]);
}

#[test]
fn an_edit_of_the_parent_and_of_a_field_is_two_events() {
    let edit = EditTask { title: Some(text("U")), parent_id: Some(Some(OTHER_TASK)), ..EditTask::default() };
    given(a_task()).when(naming(TaskCommand::Edit(Box::new(edit)), Some(task_with([])))).then_expect_events(vec![
        TaskEvent::Renamed(Renamed { title: changed_text("T", "U") }),
        reparented(None, Some(OTHER_TASK)),
    ]);
}

#[test]
fn a_task_is_a_part_of_a_task_of_the_project_only() {
    for other in no_tasks_of_the_project() {
        given(a_task())
            .when(naming(reparent(Some(OTHER_TASK)), other))
            .then_expect_error(Refusal::invalid("/parent_id", "not a task of the project"));
    }
    given(a_task())
        .when(naming(reparent(Some(OTHER_TASK)), Some(task_with([deleted()]))))
        .then_expect_error(deleted_other("/parent_id"));
}

#[test]
fn a_task_waits_for_another_one() {
    given(waiting_for(&[id(1)]))
        .when(naming(wait(), Some(task_with([]))))
        .then_expect_events(vec![TaskEvent::DependencyAdded(dependencies(&[id(1)], &[id(1), OTHER_TASK]))]);
}

#[test]
fn a_task_that_waits_for_the_other_already_goes_on_waiting_even_when_that_is_deleted() {
    given(waiting_for(&[OTHER_TASK])).when(naming(wait(), Some(task_with([deleted()])))).then_expect_events(vec![]);
}

#[test]
fn a_task_waits_for_tasks_of_the_project_only() {
    for other in no_tasks_of_the_project() {
        given(a_task())
            .when(naming(wait(), other))
            .then_expect_error(Refusal::invalid("/task_id", "not a task of the project"));
    }
    given(a_task()).when(naming(wait(), Some(task_with([deleted()])))).then_expect_error(deleted_other("/task_id"));
}

#[test]
fn a_task_waits_for_a_maximum_of_others() {
    let many: Vec<TaskId> = (0..DEPENDENCIES_PER_TASK).map(|n| id(n as u128)).collect();
    given(waiting_for(&many))
        .when(naming(wait(), Some(task_with([]))))
        .then_expect_error(Refusal::invalid("/task_id", "a task waits for at most 50 others"));
    let with_a_deleted_one = naming(wait(), Some(task_with([]))).with(|facts| facts.deleted_dependencies = 1);
    given(waiting_for(&many)).when(with_a_deleted_one).inspect_result().unwrap();
}

#[test]
fn a_task_stops_waiting_once() {
    given(waiting_for(&[id(1), OTHER_TASK]))
        .when(naming(wait_no_longer(), None))
        .then_expect_events(vec![TaskEvent::DependencyRemoved(dependencies(&[id(1), OTHER_TASK], &[id(1)]))]);
    given(a_task()).when(naming(wait_no_longer(), None)).then_expect_events(vec![]);
}
