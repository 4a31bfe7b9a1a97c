//! Steps from status to status, and progress: what each status allows, the running time, and the column that follows.

use crate::fixtures::task::*;

/// The command of each action.
fn command(action: Action) -> TaskCommand {
    match action {
        Action::Start => TaskCommand::Start(Empty {}),
        Action::Pause => TaskCommand::Pause(Empty {}),
        Action::Resume => TaskCommand::Resume(Empty {}),
        Action::Complete => TaskCommand::Complete(Empty {}),
        Action::Cancel => TaskCommand::Cancel(WithReason::default()),
        Action::Fail => TaskCommand::Fail(WithReason::default()),
        Action::Reopen => TaskCommand::Reopen(Empty {}),
        Action::Progress => TaskCommand::Progress(ProgressTask { percent: number(50) }),
    }
}

fn acts(action: Action) -> Request {
    by(MEMBER, command(action))
}

fn progressed(from: Option<u32>, to: u32) -> TaskEvent {
    TaskEvent::Progressed(Progressed { progress: Delta::new(from, Some(to)) })
}

#[test]
fn each_status_allows_some_actions_and_names_them_when_it_refuses_another() {
    let allowed = |status| match status {
        Status::Todo => vec![Action::Start, Action::Complete],
        Status::Running => vec![Action::Pause, Action::Complete, Action::Cancel, Action::Fail, Action::Progress],
        Status::Paused => vec![Action::Resume, Action::Complete, Action::Cancel, Action::Fail],
        Status::Completed | Status::Cancelled | Status::Failed => vec![Action::Reopen],
    };
    for status in STATUSES {
        for action in Action::ALL {
            let result = given(a_task_that_is(status)).when(acts(*action)).inspect_result();
            let allowed = allowed(status);
            if allowed.contains(action) {
                assert!(result.is_ok_and(|events| !events.is_empty()), "{action:?} when {status:?}");
            } else {
                assert_eq!(result, Err(Refusal::IllegalTransition { status, allowed }), "{action:?} when {status:?}");
            }
        }
    }
}

#[test]
fn a_started_task_runs_and_moves_to_the_first_column_in_progress() {
    given(a_task())
        .when(acts(Action::Start))
        .then_expect_events(vec![TaskEvent::Started(runs(Status::Todo, NOW)), moved((TODO, 0), (DOING, NOW))]);
}

#[test]
fn a_paused_task_counts_the_interval_that_it_ran_and_keeps_its_column() {
    given(a_task_that_is(Status::Running))
        .when(acts(Action::Pause))
        .then_expect_events(vec![TaskEvent::Paused(stops(Status::Paused, 10, NOW))]);
}

#[test]
fn a_resumed_task_runs_again_from_now() {
    given(a_task_that_is(Status::Paused))
        .when(acts(Action::Resume))
        .then_expect_events(vec![TaskEvent::Resumed(runs(Status::Paused, NOW))]);
}

#[test]
fn running_intervals_add_up() {
    let mut task = a_task_that_is(Status::Paused);
    task.push(TaskEvent::Resumed(runs(Status::Paused, 40)));
    let elapsed_ms = Some(Delta::new(10_000, 70_000));
    given(task)
        .when(acts(Action::Pause))
        .then_expect_events(vec![TaskEvent::Paused(Lifecycle { elapsed_ms, ..stops(Status::Paused, 40, NOW) })]);
}

#[test]
fn a_clock_that_goes_backwards_takes_no_time_away() {
    let paused = Lifecycle { elapsed_ms: None, ..stops(Status::Paused, 10, 10) };
    given(a_task_that_is(Status::Running))
        .when(acts(Action::Pause).with(|facts| facts.at = at(5)))
        .then_expect_events(vec![TaskEvent::Paused(paused)]);
}

#[test]
fn a_completed_task_stops_running_and_moves_to_the_first_column_of_what_is_done() {
    given(a_task_that_is(Status::Running)).when(acts(Action::Complete)).then_expect_events(vec![
        TaskEvent::Completed(stops(Status::Completed, 10, NOW)),
        moved((DOING, 10), (DONE, NOW)),
    ]);
}

#[test]
fn a_task_can_be_completed_without_having_run() {
    given(a_task()).when(acts(Action::Complete)).then_expect_events(vec![
        TaskEvent::Completed(step(Status::Todo, Status::Completed)),
        moved((TODO, 0), (DONE, NOW)),
    ]);
    given(a_task_that_is(Status::Paused)).when(acts(Action::Complete)).then_expect_events(vec![
        TaskEvent::Completed(step(Status::Paused, Status::Completed)),
        moved((DOING, 10), (DONE, NOW)),
    ]);
}

#[test]
fn a_cancelled_or_failed_task_says_why_and_keeps_its_column() {
    let why = || WithReason { reason: Some(text("obsolete")) };
    let because = |to| Lifecycle { reason: reason(None, Some("obsolete")), ..stops(to, 10, NOW) };
    given(a_task_that_is(Status::Running))
        .when(by(MEMBER, TaskCommand::Cancel(why())))
        .then_expect_events(vec![TaskEvent::Cancelled(because(Status::Cancelled))]);
    given(a_task_that_is(Status::Running))
        .when(by(MEMBER, TaskCommand::Fail(why())))
        .then_expect_events(vec![TaskEvent::Failed(because(Status::Failed))]);
}

#[test]
fn a_task_can_be_cancelled_or_fail_without_a_reason() {
    given(a_task_that_is(Status::Paused))
        .when(acts(Action::Cancel))
        .then_expect_events(vec![TaskEvent::Cancelled(step(Status::Paused, Status::Cancelled))]);
    given(a_task_that_is(Status::Paused))
        .when(acts(Action::Fail))
        .then_expect_events(vec![TaskEvent::Failed(step(Status::Paused, Status::Failed))]);
}

#[test]
fn a_reopened_task_is_to_do_again_without_the_reason_for_which_it_ended() {
    given(a_task_that_is(Status::Completed)).when(acts(Action::Reopen)).then_expect_events(vec![
        TaskEvent::Reopened(step(Status::Completed, Status::Todo)),
        moved((DONE, 20), (TODO, NOW)),
    ]);
    for status in [Status::Cancelled, Status::Failed] {
        let reopened = Lifecycle { reason: reason(Some("why"), None), ..step(status, Status::Todo) };
        given(a_task_that_is(status))
            .when(acts(Action::Reopen))
            .then_expect_events(vec![TaskEvent::Reopened(reopened), moved((DOING, 10), (TODO, NOW))]);
    }
}

#[test]
fn a_task_stays_where_it_is_when_its_column_is_of_the_right_category_or_none_is_open() {
    let started = || TaskEvent::Started(runs(Status::Todo, NOW));
    let in_progress = task_of(Created { column_id: added(DOING), ..created() });
    given(in_progress).when(acts(Action::Start)).then_expect_events(vec![started()]);
    let without = project_with([project::column_archived(DOING)]);
    given(a_task()).when(acts(Action::Start).with(|facts| facts.project = without)).then_expect_events(vec![started()]);
}

#[test]
fn a_running_task_has_a_progress() {
    let progress = |percent| by(MEMBER, TaskCommand::Progress(ProgressTask { percent: number(percent) }));
    given(a_task_that_is(Status::Running)).when(progress(0)).then_expect_events(vec![progressed(None, 0)]);
    let half = || {
        let mut task = a_task_that_is(Status::Running);
        task.push(progressed(None, 50));
        task
    };
    given(half()).when(progress(100)).then_expect_events(vec![progressed(Some(50), 100)]);
    given(half()).when(progress(25)).then_expect_events(vec![progressed(Some(50), 25)]);
    given(half()).when(progress(50)).then_expect_events(vec![]);
}
