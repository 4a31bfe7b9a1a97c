//! Rules of watching a task.

use taskfold_domain::task::{Fields, Watchers};

use super::*;

/// Names of the events that a request to watch, or not to, is decided as.
fn asks(task: &mut Task, actor: UserId, kind: &str) -> Vec<&'static str> {
    let data = if kind == "task.comment" { json!({"text": "c"}) } else { json!({}) };
    let mut request = request(actor, kind, data);
    request.context.fresh_id = id(100 + u128::from(task.version));
    let events = request.decide(task).unwrap();
    events.iter().for_each(|event| task.apply(event));
    events.iter().map(TaskEvent::name).collect()
}

fn folded(events: &[TaskEvent]) -> Task {
    let mut task = Task::default();
    events.iter().for_each(|event| task.apply(event));
    task
}

fn watches(task: &Task, user: UserId) -> bool {
    task.fields().unwrap().watcher_ids.contains(user)
}

#[test]
fn given_somebody_who_commented_after_unwatching_when_they_unwatch_again_then_they_watch_no_more() {
    let mut task = folded(&a_task());
    assert_eq!(asks(&mut task, VIEWER, "task.watch"), ["task.watched"]);
    for user in [OWNER, MEMBER] {
        assert_eq!(asks(&mut task, user, "task.unwatch"), ["task.unwatched"]);
        assert_eq!(asks(&mut task, user, "task.unwatch"), Vec::<&str>::new(), "they do not watch already");
        assert_eq!(asks(&mut task, user, "task.comment"), ["task.commented"]);
        assert!(watches(&task, user), "whoever comments watches");
        assert_eq!(asks(&mut task, user, "task.unwatch"), ["task.unwatched"]);
        assert!(!watches(&task, user));
    }
    assert!(watches(&task, VIEWER));
}

#[test]
fn given_somebody_who_was_assigned_after_unwatching_when_they_unwatch_again_then_they_watch_no_more() {
    let assign = ("task.assign", json!({"user_id": OWNER}));
    let unassign = ("task.unassign", json!({"user_id": OWNER}));
    let mut task = folded(&history(&[("task.create", json!({"title": "T"})), assign, unassign]));
    assert_eq!(asks(&mut task, OWNER, "task.watch"), Vec::<&str>::new(), "whoever was assigned goes on watching");
    assert_eq!(asks(&mut task, OWNER, "task.unwatch"), ["task.unwatched"]);
    let assigned = request(MEMBER, "task.assign", json!({"user_id": OWNER})).decide(&task).unwrap();
    assigned.iter().for_each(|event| task.apply(event));
    assert!(watches(&task, OWNER));
    assert_eq!(asks(&mut task, OWNER, "task.unwatch"), ["task.unwatched"]);
    assert!(!watches(&task, OWNER));
}

#[test]
fn given_a_task_with_assignees_when_it_is_created_then_they_watch_it_behind_its_creator() {
    let created = history(&[("task.create", json!({"title": "T", "assignee_ids": [OWNER, MEMBER]}))]);
    let TaskEvent::Created(created) = &created[0] else { panic!("{created:?}") };
    let watchers = |creator| Fields::new(created, creator).watcher_ids;
    assert_eq!(watchers(Some(MEMBER)), Watchers::of_new(Some(MEMBER), &[OWNER]));
    assert_eq!(watchers(None).as_slice(), [OWNER, MEMBER], "the log of the task alone does not name its creator");
}

#[test]
fn given_a_creator_when_they_unwatch_then_it_is_an_event_although_their_watching_was_none() {
    let mut task = folded(&a_task());
    assert_eq!(asks(&mut task, MEMBER, "task.unwatch"), ["task.unwatched"]);
    assert_eq!(asks(&mut task, MEMBER, "task.unwatch"), Vec::<&str>::new());
    assert_eq!(asks(&mut task, MEMBER, "task.watch"), ["task.watched"]);
}
