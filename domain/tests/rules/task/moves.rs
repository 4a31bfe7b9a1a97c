//! Moves within a column and to others, with the steps of entering a column of another category.

use crate::fixtures::task::*;

/// A move for which no rank was found: none was asked for, or the task has it already.
fn moves(column_id: ColumnId) -> Request {
    by(MEMBER, TaskCommand::Move(MoveTask { column_id, after: None, before: None }))
}

/// A move beside another task, for which this rank was found.
fn moves_beside(column_id: ColumnId, found: Rank) -> Request {
    let command = TaskCommand::Move(MoveTask { column_id, after: Some(Some(OTHER_TASK)), before: None });
    by(MEMBER, command).with(|facts| facts.rank = Some(found))
}

#[test]
fn a_move_within_a_column_changes_the_rank_alone() {
    given(a_task())
        .when(moves_beside(TODO, rank(50)))
        .then_expect_events(vec![TaskEvent::Moved(Moved { column_id: None, rank: Delta::new(rank(0), rank(50)) })]);
}

#[test]
fn a_task_at_the_requested_placement_stays_there() {
    given(a_task()).when(moves(TODO)).then_expect_events(vec![]);
}

#[test]
fn a_move_to_another_column_goes_to_its_end_or_to_the_rank_that_was_found() {
    let column = || project::column(id(1), "Next", project::Category::Todo, 4);
    let next = || project_with([project::column_added(column())]);
    given(a_task())
        .when(moves(id(1)).with(|facts| facts.project = next()))
        .then_expect_events(vec![moved((TODO, 0), (id(1), NOW))]);
    given(a_task())
        .when(moves_beside(id(1), rank(50)).with(|facts| facts.project = next()))
        .then_expect_events(vec![moved((TODO, 0), (id(1), 50))]);
}

/// Steps of entering a column at second `NOW`.
fn steps_of_entering(column: ColumnId, status: Status) -> Vec<TaskEvent> {
    let reopened = || {
        let ended = [Status::Cancelled, Status::Failed].contains(&status);
        let reason = if ended { reason(Some("why"), None) } else { None };
        TaskEvent::Reopened(Lifecycle { reason, ..step(status, Status::Todo) })
    };
    match (column, status) {
        (TODO, Status::Todo) => vec![],
        (TODO, Status::Running) => vec![TaskEvent::Reopened(stops(Status::Todo, 10, NOW))],
        (TODO, _) => vec![reopened()],
        (DOING, Status::Todo) => vec![TaskEvent::Started(runs(Status::Todo, NOW))],
        (DOING, Status::Running | Status::Paused) => vec![],
        (DOING, _) => vec![reopened(), TaskEvent::Started(runs(Status::Todo, NOW))],
        (DONE, Status::Running) => vec![TaskEvent::Completed(stops(Status::Completed, 10, NOW))],
        (DONE, Status::Todo | Status::Paused) => vec![TaskEvent::Completed(step(status, Status::Completed))],
        (DONE, Status::Completed | Status::Cancelled | Status::Failed) => vec![],
        (column, _) => unreachable!("{column} is not a column of the project"),
    }
}

#[test]
fn entering_a_column_of_another_category_starts_completes_or_reopens_a_task() {
    for status in STATUSES {
        let task: Task = folded(&a_task_that_is(status));
        let (from, ranked) = task.fields().map(|fields| (fields.column_id, fields.rank.clone())).unwrap();
        for to in [TODO, DOING, DONE].into_iter().filter(|to| *to != from) {
            let moved = Moved { column_id: Some(Delta::new(from, to)), rank: Delta::new(ranked.clone(), rank(NOW)) };
            let expected = [vec![TaskEvent::Moved(moved)], steps_of_entering(to, status)].concat();
            given(a_task_that_is(status)).when(moves(to)).then_expect_events(expected);
        }
    }
}

#[test]
fn another_column_of_the_same_category_leaves_the_status_alone() {
    let review = project::column(id(1), "Review", project::Category::InProgress, 4);
    let mut task = a_task_that_is(Status::Running);
    task.push(TaskEvent::Completed(stops(Status::Completed, 10, 20)));
    given(task)
        .when(moves(id(1)).with(|facts| facts.project = project_with([project::column_added(review)])))
        .then_expect_events(vec![moved((DOING, 10), (id(1), NOW))]);
}

#[test]
fn a_task_in_a_removed_column_enters_the_next_one_as_from_another_category() {
    let todo = project::column(TODO, "To do", project::Category::Todo, 1);
    given(a_task())
        .when(moves(DOING).with(|facts| facts.project = project_with([project::column_removed(todo)])))
        .then_expect_events(vec![moved((TODO, 0), (DOING, NOW)), TaskEvent::Started(runs(Status::Todo, NOW))]);
}

/// The append refuses a move to a full column that enforces its limit with `Refusal::WipLimitReached`, and finds the
/// rank: it alone sees all tasks at once.
#[test]
fn a_task_cannot_move_to_a_column_that_is_not_there_or_archived() {
    given(a_task()).when(moves(id(1))).then_expect_error(Refusal::invalid("/column_id", "not a column of the project"));
    let archived = || project_with([TODO, DONE].map(project::column_archived));
    for column in [TODO, DONE] {
        given(a_task())
            .when(moves_beside(column, rank(50)).with(|facts| facts.project = archived()))
            .then_expect_error(Refusal::invalid("/column_id", "the column is archived"));
    }
    given(a_task())
        .when(moves(DONE).with(|facts| {
            facts.project = archived();
            facts.origin = Origin::Import;
        }))
        .then_expect_events(vec![
            moved((TODO, 0), (DONE, NOW)),
            TaskEvent::Completed(step(Status::Todo, Status::Completed)),
        ]);
}
