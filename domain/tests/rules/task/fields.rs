//! Editing the fields of a task: one event for each that changes.

use crate::fixtures::task::*;

fn edits(edit: EditTask) -> Request {
    by(MEMBER, TaskCommand::Edit(Box::new(edit)))
}

fn described(from: &str, to: &str) -> TaskEvent {
    TaskEvent::Described(Described { description: changed_text(from, to) })
}

fn prioritized(from: Priority, to: Priority) -> TaskEvent {
    TaskEvent::Prioritized(Prioritized { priority: Delta::new(from, to) })
}

fn scheduled(start_at: Option<Delta<Option<Timestamp>>>, due_at: Option<Delta<Option<Timestamp>>>) -> TaskEvent {
    TaskEvent::Scheduled(Scheduled { start_at, due_at })
}

fn estimated(from: Option<u32>, to: Option<u32>) -> TaskEvent {
    TaskEvent::Estimated(Estimated { estimate_minutes: Delta::new(from, to) })
}

/// A task in which each field is set that null clears.
fn a_full_task() -> Vec<TaskEvent> {
    task_of(Created {
        description: added_text("about"),
        priority: added(Priority::High),
        start_at: added(Some(at(1000))),
        due_at: added(Some(at(2000))),
        estimate_minutes: added(Some(30)),
        ..created()
    })
}

#[test]
fn a_renamed_task_has_both_names_in_the_event() {
    given(a_task())
        .when(edits(EditTask { title: Some(text("U")), ..EditTask::default() }))
        .then_expect_events(vec![TaskEvent::Renamed(Renamed { title: changed_text("T", "U") })]);
}

#[test]
fn an_edit_is_one_event_for_each_field_that_changes() {
    let edit = EditTask {
        title: Some(text("U")),
        description: Some(Some(text("about"))),
        priority: Some(Some(Priority::High)),
        start_at: Some(Some(at(1000).into())),
        due_at: Some(Some(at(2000).into())),
        estimate_minutes: Some(Some(number(30))),
        parent_id: None,
    };
    given(a_task()).when(edits(edit)).then_expect_events(vec![
        TaskEvent::Renamed(Renamed { title: changed_text("T", "U") }),
        described("", "about"),
        prioritized(Priority::None, Priority::High),
        scheduled(Some(Delta::new(None, Some(at(1000)))), Some(Delta::new(None, Some(at(2000))))),
        estimated(None, Some(30)),
    ]);
}

#[test]
fn start_and_due_time_change_apart() {
    let earlier = |time: Option<i64>, to| Some(Delta::new(time.map(at), Some(at(to))));
    given(a_full_task())
        .when(edits(EditTask { start_at: Some(Some(at(1500).into())), ..EditTask::default() }))
        .then_expect_events(vec![scheduled(earlier(Some(1000), 1500), None)]);
    given(a_full_task())
        .when(edits(EditTask { due_at: Some(Some(at(1500).into())), ..EditTask::default() }))
        .then_expect_events(vec![scheduled(None, earlier(Some(2000), 1500))]);
}

#[test]
fn null_clears_a_field() {
    let nothing = EditTask {
        title: None,
        description: Some(None),
        priority: Some(None),
        start_at: Some(None),
        due_at: Some(None),
        estimate_minutes: Some(None),
        parent_id: Some(None),
    };
    given(a_full_task()).when(edits(nothing)).then_expect_events(vec![
        described("about", ""),
        prioritized(Priority::High, Priority::None),
        scheduled(Some(Delta::new(Some(at(1000)), None)), Some(Delta::new(Some(at(2000)), None))),
        estimated(Some(30), None),
    ]);
}

#[test]
fn a_task_that_is_edited_to_what_it_is_stays_as_it_is() {
    let same = EditTask {
        title: Some(text("T")),
        description: Some(Some(text("about"))),
        priority: Some(Some(Priority::High)),
        start_at: Some(Some(at(1000).into())),
        due_at: Some(Some(at(2000).into())),
        estimate_minutes: Some(Some(number(30))),
        parent_id: Some(None),
    };
    for edit in [same, EditTask::default()] {
        given(a_full_task()).when(edits(edit)).then_expect_events(vec![]);
    }
}

#[test]
fn an_archived_task_and_one_that_is_over_can_be_edited() {
    for status in STATUSES {
        let mut task = a_task_that_is(status);
        task.push(archived());
        given(task)
            .when(edits(EditTask { title: Some(text("U")), ..EditTask::default() }))
            .then_expect_events(vec![TaskEvent::Renamed(Renamed { title: changed_text("T", "U") })]);
    }
}
