//! People who are notified of a task: its creator, its assignees, whoever comments, and whoever asks to be.

use taskfold_domain::task::Fields;

use crate::fixtures::task::*;

fn watches(actor: UserId) -> Request {
    by(actor, TaskCommand::Watch(Empty {}))
}

fn unwatches(actor: UserId) -> Request {
    by(actor, TaskCommand::Unwatch(Empty {}))
}

fn watched(user_id: UserId) -> TaskEvent {
    TaskEvent::Watched(Watched { watcher: added(Watcher { user_id }) })
}

fn unwatched(user_id: UserId) -> TaskEvent {
    TaskEvent::Unwatched(Unwatched { watcher: removed(Watcher { user_id }) })
}

fn assigned(from: &[UserId], to: &[UserId]) -> TaskEvent {
    TaskEvent::Assigned(Assignees { assignee_ids: Delta::new(from.to_vec(), to.to_vec()) })
}

fn unassigned(user: UserId) -> TaskEvent {
    TaskEvent::Unassigned(Assignees { assignee_ids: Delta::new(vec![user], vec![]) })
}

fn watchers(events: &[TaskEvent]) -> Vec<UserId> {
    let task: Task = folded(events);
    task.fields().unwrap().watcher_ids.as_slice().to_vec()
}

#[test]
fn a_viewer_watches_a_task_once_and_stops_once() {
    given(a_task()).when(watches(VIEWER)).then_expect_events(vec![watched(VIEWER)]);
    given(a_task_with([watched(VIEWER)])).when(watches(VIEWER)).then_expect_events(vec![]);
    given(a_task_with([watched(VIEWER)])).when(unwatches(VIEWER)).then_expect_events(vec![unwatched(VIEWER)]);
    given(a_task_with([watched(VIEWER), unwatched(VIEWER)])).when(unwatches(VIEWER)).then_expect_events(vec![]);
}

/// The log of a task does not name its creator, so that their first request to stop is an event.
#[test]
fn a_creator_stops_watching_although_no_event_says_that_they_did() {
    given(a_task()).when(unwatches(MEMBER)).then_expect_events(vec![unwatched(MEMBER)]);
    given(a_task_with([unwatched(MEMBER)])).when(unwatches(MEMBER)).then_expect_events(vec![]);
    given(a_task_with([unwatched(MEMBER)])).when(watches(MEMBER)).then_expect_events(vec![watched(MEMBER)]);
}

#[test]
fn a_commenter_watches_a_task_until_they_stop() {
    let commented = || commented(comment());
    given(a_task_with([commented()])).when(watches(MEMBER)).then_expect_events(vec![]);
    given(a_task_with([unwatched(MEMBER), commented()]))
        .when(unwatches(MEMBER))
        .then_expect_events(vec![unwatched(MEMBER)]);
    assert_eq!(watchers(&a_task_with([watched(VIEWER), commented(), unwatched(MEMBER)])), [VIEWER]);
}

#[test]
fn a_watch_that_came_from_an_assignment_ends_with_it() {
    let once = [assigned(&[], &[OWNER]), unassigned(OWNER)];
    assert_eq!(watchers(&a_task_with(once.clone())), []);
    given(a_task_with(once)).when(watches(OWNER)).then_expect_events(vec![watched(OWNER)]);
    let reassigned = [assigned(&[], &[OWNER]), assigned(&[OWNER], &[OWNER, VIEWER])];
    assert_eq!(watchers(&a_task_with(reassigned)), [OWNER, VIEWER]);
}

#[test]
fn whoever_watches_for_another_reason_continues_when_unassigned() {
    let assigned = || assigned(&[], &[MEMBER]);
    let cases = [
        [watched(MEMBER), assigned(), unassigned(MEMBER)],
        [assigned(), watched(MEMBER), unassigned(MEMBER)],
        [commented(comment()), assigned(), unassigned(MEMBER)],
        [assigned(), commented(comment()), unassigned(MEMBER)],
    ];
    for events in cases {
        assert_eq!(watchers(&a_task_with(events)), [MEMBER]);
    }
    given(a_task_with([assigned()])).when(watches(MEMBER)).then_expect_events(vec![watched(MEMBER)]);
    // The creator watches for that reason, whatever they are assigned to.
    let created = Created { assignee_ids: added(vec![MEMBER]), ..created() };
    let mut fields = Fields::new(&created, Some(MEMBER));
    fields.apply(&unassigned(MEMBER));
    assert_eq!(fields.watcher_ids.as_slice(), [MEMBER]);
}

#[test]
fn an_assignee_who_stopped_watching_watches_when_assigned_again() {
    let again = [assigned(&[], &[OWNER]), unwatched(OWNER), unassigned(OWNER), assigned(&[], &[OWNER])];
    assert_eq!(watchers(&a_task_with(again.clone())), [OWNER]);
    given(a_task_with(again)).when(unwatches(OWNER)).then_expect_events(vec![unwatched(OWNER)]);
}

#[test]
fn each_request_to_stop_after_a_comment_is_an_event() {
    let stopped = [watched(VIEWER), unwatched(VIEWER)];
    let commented = commented(Comment { author_id: VIEWER, ..comment() });
    given(a_task_with(stopped.into_iter().chain([commented])))
        .when(unwatches(VIEWER))
        .then_expect_events(vec![unwatched(VIEWER)]);
}

#[test]
fn an_assignee_who_stopped_watching_does_not_watch_again_when_others_are_assigned() {
    let events = [assigned(&[], &[OWNER]), unwatched(OWNER), assigned(&[OWNER], &[OWNER, VIEWER])];
    assert_eq!(watchers(&a_task_with(events)), [VIEWER]);
}

#[test]
fn a_creator_watches_a_new_task_before_its_assignees() {
    let created = Created { assignee_ids: added(vec![OWNER, MEMBER]), ..created() };
    let watchers = |creator| Fields::new(&created, creator).watcher_ids.as_slice().to_vec();
    assert_eq!(watchers(Some(MEMBER)), [MEMBER, OWNER]);
    assert_eq!(watchers(None), [OWNER, MEMBER], "the log of the task alone does not name its creator");
}
