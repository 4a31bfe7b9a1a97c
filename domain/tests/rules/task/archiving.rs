//! Archiving, deleting and restoring.

use crate::fixtures::task::*;

fn archive() -> Request {
    by(MEMBER, TaskCommand::Archive(Empty {}))
}

fn unarchive() -> Request {
    by(MEMBER, TaskCommand::Unarchive(Empty {}))
}

fn restore() -> Request {
    by(ADMIN, TaskCommand::Restore(Empty {}))
}

/// Restoration of what `MEMBER` deleted at second 30.
fn restored() -> TaskEvent {
    TaskEvent::Restored(Deletion {
        deleted: Delta::new(true, false),
        deleted_at: Delta::new(Some(at(30)), None),
        deleted_by: Delta::new(Some(MEMBER), None),
    })
}

fn todo_removed() -> project::ProjectEvent {
    project::column_removed(project::column(TODO, "To do", project::Category::Todo, 1))
}

#[test]
fn a_task_is_archived_once() {
    given(a_task()).when(archive()).then_expect_events(vec![archived()]);
    given(a_task_with([archived()])).when(archive()).then_expect_events(vec![]);
}

#[test]
fn an_archived_task_is_unarchived_once() {
    given(a_task_with([archived()]))
        .when(unarchive())
        .then_expect_events(vec![TaskEvent::Unarchived(Archived { archived: Delta::new(true, false) })]);
    given(a_task()).when(unarchive()).then_expect_events(vec![]);
}

#[test]
fn a_deleted_task_says_who_deleted_it_and_when() {
    given(a_task()).when(by(ADMIN, TaskCommand::Delete(Empty {}))).then_expect_events(vec![TaskEvent::Deleted(
        Deletion {
            deleted: Delta::new(false, true),
            deleted_at: Delta::new(None, Some(at(NOW))),
            deleted_by: Delta::new(None, Some(ADMIN)),
        },
    )]);
}

#[test]
fn a_task_that_runs_is_paused_when_it_is_deleted() {
    let deleted = TaskEvent::Deleted(Deletion {
        deleted: Delta::new(false, true),
        deleted_at: Delta::new(None, Some(at(NOW))),
        deleted_by: Delta::new(None, Some(MEMBER)),
    });
    given(a_task_that_is(Status::Running))
        .when(by(MEMBER, TaskCommand::Delete(Empty {})))
        .then_expect_events(vec![TaskEvent::Paused(stops(Status::Paused, 10, NOW)), deleted]);
}

#[test]
fn a_deleted_task_is_restored_by_anybody_who_may_work_on_tasks() {
    given(a_task_with([deleted()])).when(restore()).then_expect_events(vec![restored()]);
}

#[test]
fn a_restored_task_is_archived_as_it_was() {
    let task = a_task_with([archived(), deleted()]);
    given(task.clone()).when(restore()).then_expect_events(vec![restored()]);
    given([task, vec![restored()]].concat()).when(archive()).then_expect_events(vec![]);
}

#[test]
fn a_task_that_is_not_deleted_is_restored_already() {
    given(a_task()).when(restore()).then_expect_events(vec![]);
}

#[test]
fn a_task_whose_column_is_gone_is_restored_to_the_first_one_of_its_status() {
    let done_removed = || {
        let more = project::column(id(77), "Released", project::Category::Done, 4);
        let done = project::column(DONE, "Done", project::Category::Done, 3);
        project_with([project::column_added(more), project::column_removed(done)])
    };
    let deleted_when = |status| [a_task_that_is(status), vec![deleted()]].concat();
    given(deleted_when(Status::Completed))
        .when(restore().with(|facts| facts.project = done_removed()))
        .then_expect_events(vec![restored(), moved((DONE, 20), (id(77), NOW))]);
    // There is no column of things to do: no status changes because of that.
    given(a_task_with([deleted()]))
        .when(restore().with(|facts| facts.project = project_with([todo_removed()])))
        .then_expect_events(vec![restored(), moved((TODO, 0), (DOING, NOW))]);
}

#[test]
fn a_task_whose_column_is_archived_is_restored_to_it() {
    given(a_task_with([deleted()]))
        .when(restore().with(|facts| facts.project = project_with([project::column_archived(TODO)])))
        .then_expect_events(vec![restored()]);
}

#[test]
fn a_task_is_restored_where_it_was_when_no_column_is_open() {
    let none = project_with([todo_removed(), project::column_archived(DOING), project::column_archived(DONE)]);
    given(a_task_with([deleted()]))
        .when(restore().with(|facts| facts.project = none))
        .then_expect_events(vec![restored()]);
}
