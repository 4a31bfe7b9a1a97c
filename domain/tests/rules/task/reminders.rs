//! Reminders of due times, which the clock sends: one a day before, and one when the time has passed.

use crate::fixtures::task::*;

const DAY: i64 = 24 * 60 * 60;
/// Second at which the task is due.
const DUE: i64 = 2 * DAY;

fn remind(stage: DueStage) -> TaskCommand {
    TaskCommand::Remind(Remind { due_at: at(DUE), stage })
}

/// A reminder that the clock sends at a second.
fn reminds(second: i64, stage: DueStage) -> Request {
    by(UserId(Uuid::nil()), remind(stage)).with(|facts| {
        facts.at = at(second);
        facts.origin = Origin::Clock;
    })
}

fn a_due_task() -> Vec<TaskEvent> {
    task_of(Created { due_at: added(Some(at(DUE))), ..created() })
}

fn a_due_task_with(events: impl IntoIterator<Item = TaskEvent>) -> Vec<TaskEvent> {
    a_due_task().into_iter().chain(events).collect()
}

fn due_soon() -> TaskEvent {
    TaskEvent::DueSoon(DueReached { due_stage: Delta::new(None, Some(DueStage::DueSoon)) })
}

fn overdue(from: Option<DueStage>) -> TaskEvent {
    TaskEvent::Overdue(DueReached { due_stage: Delta::new(from, Some(DueStage::Overdue)) })
}

#[test]
fn a_task_is_due_soon_from_a_day_before_its_due_time() {
    given(a_due_task()).when(reminds(DUE - DAY - 1, DueStage::DueSoon)).then_expect_events(vec![]);
    given(a_due_task()).when(reminds(DUE - DAY, DueStage::DueSoon)).then_expect_events(vec![due_soon()]);
}

#[test]
fn a_task_is_overdue_from_its_due_time() {
    let soon = || a_due_task_with([due_soon()]);
    given(soon()).when(reminds(DUE - 1, DueStage::Overdue)).then_expect_events(vec![]);
    given(soon()).when(reminds(DUE, DueStage::Overdue)).then_expect_events(vec![overdue(Some(DueStage::DueSoon))]);
}

#[test]
fn nobody_is_reminded_while_the_project_or_the_column_is_archived() {
    for archived in [project::archived(), project::column_archived(TODO)] {
        let request = reminds(DUE, DueStage::DueSoon).with(|facts| facts.project = project_with([archived]));
        given(a_due_task()).when(request).then_expect_events(vec![]);
    }
}

#[test]
fn a_reminder_is_given_once() {
    given(a_due_task_with([due_soon()])).when(reminds(DUE - 5, DueStage::DueSoon)).then_expect_events(vec![]);
    let over = || a_due_task_with([due_soon(), overdue(Some(DueStage::DueSoon))]);
    for stage in [DueStage::DueSoon, DueStage::Overdue] {
        given(over()).when(reminds(DUE + DAY, stage)).then_expect_events(vec![]);
    }
}

#[test]
fn a_late_clock_sends_overdue_and_not_due_soon() {
    given(a_due_task()).when(reminds(DUE + 1, DueStage::DueSoon)).then_expect_events(vec![overdue(None)]);
}

#[test]
fn a_reminder_of_another_due_time_is_not_given() {
    let later = TaskEvent::Scheduled(Scheduled {
        start_at: None,
        due_at: Some(Delta::new(Some(at(DUE)), Some(at(DUE + DAY)))),
    });
    for task in [a_task(), a_due_task_with([later])] {
        given(task).when(reminds(DUE, DueStage::DueSoon)).then_expect_events(vec![]);
    }
}

#[test]
fn a_new_due_time_has_reminders_of_its_own() {
    let rescheduled = |from, to| {
        TaskEvent::Scheduled(Scheduled { start_at: None, due_at: Some(Delta::new(Some(at(from)), Some(at(to)))) })
    };
    given(a_due_task_with([due_soon(), rescheduled(DUE, DUE + 1), rescheduled(DUE + 1, DUE)]))
        .when(reminds(DUE - DAY, DueStage::DueSoon))
        .then_expect_events(vec![due_soon()]);
}

#[test]
fn a_task_that_is_over_or_archived_has_no_reminders() {
    let completed = TaskEvent::Completed(step(Status::Todo, Status::Completed));
    for event in [completed, archived()] {
        given(a_due_task_with([event])).when(reminds(DUE, DueStage::DueSoon)).then_expect_events(vec![]);
    }
}

#[test]
fn nobody_but_the_clock_reminds_whatever_their_role() {
    for (actor, role) in EVERYBODY {
        let refused = if role.is_some() { Refusal::Forbidden { needs: Role::Owner } } else { Refusal::NotFound };
        given(a_due_task())
            .when(by(actor, remind(DueStage::DueSoon)).with(|facts| facts.at = at(DUE)))
            .then_expect_error(refused);
    }
}

#[test]
fn the_clock_sends_nothing_but_reminders() {
    let start = by(UserId(Uuid::nil()), TaskCommand::Start(Empty {})).with(|facts| facts.origin = Origin::Clock);
    given(a_due_task()).when(start).then_expect_error(Refusal::NotFound);
}
