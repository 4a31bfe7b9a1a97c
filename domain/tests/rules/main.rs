//! The rules of tasks, projects and teams as given / when / then, and a walk of random commands over both.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::sync::Arc;

use cqrs_es::test::TestFramework;
use serde_json::{Value, json};
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::task::{Action, Origin, Situation, Status};
use taskfold_domain::{
    CommandWithContext, Project, ProjectCommand, ProjectEvent, Rank, Refusal, Role, Task, TaskCommand, TaskEvent,
    Timestamp, task,
};
use uuid::Uuid;

/// The project, task and team that the rules are stated on.
mod fixtures;
/// Rules of projects.
mod project;
/// Rules of teams.
mod team;
/// Several people, teams and tasks, and what they have to do with one another.
mod together;
/// A walk of random commands.
mod walk;
/// Watching a task.
mod watching;

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn at(second: i64) -> Timestamp {
    chrono::DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap().into()
}

const OWNER: UserId = UserId(Uuid::from_u128(1));
const MEMBER: UserId = UserId(Uuid::from_u128(2));
const VIEWER: UserId = UserId(Uuid::from_u128(3));
const STRANGER: UserId = UserId(Uuid::from_u128(4));
const PROJECT: ProjectId = ProjectId(Uuid::from_u128(10));
const TASK: u128 = 20;

fn project_context(actor: UserId) -> taskfold_domain::project::Context {
    taskfold_domain::project::Context {
        actor,
        at: at(0),
        jitter: 7,
        id: PROJECT,
        fresh_id: id(30),
        origin: Origin::Live,
        teams: vec![],
        template: None,
        invited: None,
    }
}

fn project_command(kind: &str, data: Value) -> ProjectCommand {
    serde_json::from_value(json!({"type": kind, "data": data})).unwrap()
}

fn task_command(kind: &str, data: Value) -> TaskCommand {
    serde_json::from_value(json!({"type": kind, "data": data})).unwrap()
}

fn decided(project: &Project, actor: UserId, kind: &str, data: Value) -> Result<Vec<ProjectEvent>, Refusal> {
    taskfold_domain::project::decide(project, &project_command(kind, data), &project_context(actor))
}

fn applied(project: &mut Project, actor: UserId, kind: &str, data: Value) {
    for event in decided(project, actor, kind, data).unwrap() {
        project.apply(&event);
    }
}

/// Columns Todo, Doing and Done; an owner, a member and a viewer.
fn board() -> Project {
    let mut project = Project::default();
    let columns = json!([
        {"id": id(11), "name": "Todo", "category": "todo"},
        {"id": id(12), "name": "Doing", "category": "in_progress"},
        {"id": id(13), "name": "Done", "category": "done"},
    ]);
    applied(&mut project, OWNER, "project.create", json!({"name": "P", "columns": columns}));
    applied(&mut project, OWNER, "project.set_member", json!({"user_id": MEMBER, "role": "member"}));
    applied(&mut project, OWNER, "project.set_member", json!({"user_id": VIEWER, "role": "viewer"}));
    project
}

type Request = CommandWithContext<TaskCommand, task::Context>;

fn request_at(second: i64, actor: UserId, kind: &str, data: Value) -> Request {
    let context = task::Context {
        actor,
        at: at(second),
        project: Arc::new(board()),
        rank: None,
        end: Rank::at_end(at(second), 7),
        mentions: vec![],
        fresh_id: id(TASK),
        origin: Origin::Live,
        teams: vec![],
        other: None,
        comment: None,
    };
    CommandWithContext { command: task_command(kind, data), context }
}

fn request(actor: UserId, kind: &str, data: Value) -> Request {
    request_at(0, actor, kind, data)
}

/// The same request with other facts.
fn with(mut request: Request, change: impl FnOnce(&mut task::Context)) -> Request {
    change(&mut request.context);
    request
}

fn event(kind: &str, changes: Value) -> TaskEvent {
    serde_json::from_value(json!({"type": kind, "changes": changes})).unwrap()
}

/// The events of a history of commands, one a second.
fn history(commands: &[(&str, Value)]) -> Vec<TaskEvent> {
    let mut task = Task::default();
    let mut events = Vec::new();
    for (second, (kind, data)) in (0..).zip(commands) {
        for event in request_at(second, MEMBER, kind, data.clone()).decide(&task).unwrap() {
            task.apply(&event);
            events.push(event);
        }
    }
    events
}

fn a_task() -> Vec<TaskEvent> {
    history(&[("task.create", json!({"title": "T"}))])
}

#[test]
fn given_a_task_when_renamed_then_the_event_has_both_names() {
    TestFramework::<Task>::with(())
        .given(a_task())
        .when(request(MEMBER, "task.edit", json!({"title": "U"})))
        .then_expect_events(vec![event("task.renamed", json!({"title": {"from": "T", "to": "U"}}))]);
}

#[test]
fn given_a_task_when_nothing_changes_then_nothing_happens() {
    TestFramework::<Task>::with(())
        .given(a_task())
        .when(request(MEMBER, "task.edit", json!({"title": "T", "description": null, "priority": "none"})))
        .then_expect_events(vec![]);
}

#[test]
fn given_a_running_task_when_paused_then_the_interval_is_counted() {
    let running = history(&[("task.create", json!({"title": "T"})), ("task.start", json!({}))]);
    let request = with(request(MEMBER, "task.pause", json!({})), |context| context.at = at(61));
    TestFramework::<Task>::with(()).given(running).when(request).then_expect_events(vec![event(
        "task.paused",
        json!({
            "status": {"from": "running", "to": "paused"},
            "running_since": {"from": at(1), "to": null},
            "elapsed_ms": {"from": 0, "to": 60_000},
        }),
    )]);
}

#[test]
fn given_a_task_when_a_clock_goes_backwards_then_no_time_is_taken_away() {
    let running = history(&[("task.create", json!({"title": "T"})), ("task.start", json!({}))]);
    let request = with(request(MEMBER, "task.pause", json!({})), |context| context.at = at(-100));
    let events = TestFramework::<Task>::with(()).given(running).when(request).inspect_result().unwrap();
    let TaskEvent::Paused(paused) = &events[0] else { panic!("{events:?}") };
    assert_eq!(paused.elapsed_ms, None);
}

#[test]
fn given_a_task_in_todo_when_asked_what_is_not_allowed_then_it_says_what_is() {
    for action in ["pause", "resume", "cancel", "fail", "reopen"] {
        TestFramework::<Task>::with(())
            .given(a_task())
            .when(request(MEMBER, &format!("task.{action}"), json!({})))
            .then_expect_error(Refusal::IllegalTransition {
                status: Status::Todo,
                allowed: vec![Action::Start, Action::Complete],
            });
    }
}

#[test]
fn given_any_task_when_the_role_is_not_enough_then_it_is_refused_by_what_may_be_known() {
    let refused = |actor| {
        let request = request(actor, "task.edit", json!({"title": "U"}));
        TestFramework::<Task>::with(()).given(a_task()).when(request).inspect_result().unwrap_err()
    };
    assert_eq!(refused(VIEWER), Refusal::Forbidden { needs: Role::Member });
    assert_eq!(refused(STRANGER), Refusal::NotFound);
}

#[test]
fn given_a_deleted_task_when_anything_but_restore_then_it_says_who_and_when() {
    let deleted = history(&[("task.create", json!({"title": "T"})), ("task.delete", json!({}))]);
    TestFramework::<Task>::with(())
        .given(deleted)
        .when(request(OWNER, "task.start", json!({})))
        .then_expect_error(Refusal::TaskDeleted { by: MEMBER, at: at(1) });
}

#[test]
fn given_a_task_whose_column_is_gone_when_restored_then_it_comes_back_in_the_first_column() {
    let mut events = history(&[("task.create", json!({"title": "T"})), ("task.delete", json!({}))]);
    if let TaskEvent::Created(created) = &mut events[0] {
        created.column_id.to = id(99).into();
    }
    let restored = TestFramework::<Task>::with(()).given(events).when(request(MEMBER, "task.restore", json!({})));
    let restored = restored.inspect_result().unwrap();
    let TaskEvent::Moved(moved) = &restored[1] else { panic!("{restored:?}") };
    assert_eq!(moved.column_id.as_ref().unwrap().to.0, id(11));
}

fn attach(id: Uuid) -> Value {
    json!({"id": id, "file_name": "a.txt", "content_type": "text/plain", "size": 3, "sha256": "0".repeat(64)})
}

#[test]
fn given_a_task_when_a_file_is_attached_and_removed_then_nobodys_form_is_stale_and_its_id_is_spent() {
    let events = history(&[("task.create", json!({"title": "T"})), ("task.attach", attach(id(50)))]);
    let attachment = json!({"id": id(50), "author_id": MEMBER, "file_name": "a.txt", "content_type": "text/plain",
        "size": 3, "sha256": "0".repeat(64)});
    assert_eq!(events[1], event("task.attachment_added", json!({"attachment": {"from": null, "to": attachment}})));
    let remove = || json!({"attachment_id": id(50)});
    TestFramework::<Task>::with(())
        .given(events.clone())
        .when(request(OWNER, "task.remove_attachment", remove()))
        .then_expect_events(vec![event(
            "task.attachment_removed",
            json!({"attachment": {"from": attachment, "to": null}}),
        )]);
    let removed = history(&[
        ("task.create", json!({"title": "T"})),
        ("task.attach", attach(id(50))),
        ("task.remove_attachment", remove()),
    ]);
    let mut task = Task::default();
    removed.iter().for_each(|event| task.apply(event));
    assert_eq!((task.version, task.edited_version), (3, 1));
    let given = || TestFramework::<Task>::with(()).given(removed.clone());
    given().when(request(MEMBER, "task.remove_attachment", remove())).then_expect_events(vec![]);
    given().when(request(MEMBER, "task.attach", attach(id(50)))).then_expect_error(Refusal::AlreadyExists);
    given()
        .when(request(MEMBER, "task.remove_attachment", json!({"attachment_id": id(51)})))
        .then_expect_error(Refusal::NotFound);
}

#[test]
fn given_many_files_when_one_too_many_is_attached_then_it_is_refused() {
    let mut events = a_task();
    for n in 0..500 {
        let attachment = json!({"id": id(1000 + n), "author_id": MEMBER, "file_name": "a", "content_type": "a/b", "size": 0,
            "sha256": "0".repeat(64)});
        events.push(event("task.attachment_added", json!({"attachment": {"from": null, "to": attachment}})));
    }
    let refused =
        TestFramework::<Task>::with(()).given(events.clone()).when(request(MEMBER, "task.attach", attach(id(50))));
    assert!(matches!(refused.inspect_result(), Err(Refusal::Invalid(_))));
    // One that somebody else put there is not a member's to remove.
    let remove = json!({"attachment_id": id(1000)});
    if let TaskEvent::AttachmentAdded(added) = &mut events[1] {
        added.attachment.to.author_id = OWNER;
    }
    TestFramework::<Task>::with(())
        .given(events)
        .when(request(MEMBER, "task.remove_attachment", remove))
        .then_expect_error(Refusal::Forbidden { needs: Role::Admin });
}

/// The words of comments are in the log: a decision that needs them is given them.
#[test]
fn comments_are_edited_and_removed_by_their_words_in_the_log() {
    let comment = task::Comment {
        id: taskfold_domain::ids::CommentId(id(40)),
        author_id: MEMBER,
        text: "first".to_owned(),
        mentions: vec![OWNER],
    };
    let events = history(&[
        ("task.create", json!({"title": "T"})),
        ("task.comment", json!({"id": id(40), "text": "first"})),
        ("task.comment", json!({"id": id(41), "text": "other"})),
    ]);
    let mut task = Task::default();
    events.iter().for_each(|event| task.apply(event));
    let kept = *task.card().unwrap().comment(comment.id).unwrap();
    assert_eq!((kept.written_at, kept.has_text("first"), kept.has_text("other")), (2, true, false));
    assert_eq!(kept.read_from(events[1].clone()).unwrap().text, "first");
    assert_eq!(kept.read_from(events[2].clone()), None, "of another comment");

    let edit = json!({"comment_id": id(40), "text": "second"});
    let edit = with(request(MEMBER, "task.edit_comment", edit), |context| context.comment = Some(comment.clone()));
    let edited = edit.decide(&task).unwrap();
    let body = |text: &str, mentions: Value| json!({"id": id(40), "text": text, "mentions": mentions});
    let change = json!({"comment": {"from": body("first", json!([OWNER])), "to": body("second", json!([]))}});
    assert_eq!(edited, [event("task.comment_edited", change)]);
    task.apply(&edited[0]);
    let kept = *task.card().unwrap().comment(comment.id).unwrap();
    assert_eq!((kept.written_at, kept.read_from(edited[0].clone()).unwrap().author_id), (4, MEMBER));
    // What one has not said is not one's own to edit, whatever its words.
    let other = with(edit, |context| context.actor = OWNER);
    assert_eq!(other.decide(&task), Err(Refusal::NotTheAuthor));

    let remove = request(MEMBER, "task.remove_comment", json!({"comment_id": id(40)}));
    let remove = with(remove, |context| context.comment = Some(comment));
    let removed = remove.decide(&task).unwrap();
    assert_eq!(serde_json::to_value(&removed[0]).unwrap()["changes"]["comment"]["from"]["text"], "first");
}

#[test]
fn a_task_takes_as_much_memory_as_what_decisions_need() {
    let mut task = Task::default();
    a_task().into_iter().for_each(|event| task.apply(&event));
    let bare = task.bytes();
    for n in 0..1000 {
        let text = "x".repeat(16 * 1024);
        let comment =
            json!({"from": null, "to": {"id": id(5000 + n), "author_id": MEMBER, "text": text, "mentions": []}});
        task.apply(&event("task.commented", json!({"comment": comment})));
    }
    assert!(task.bytes() - bare < 1000 * 100, "{} bytes more", task.bytes() - bare);
    task.apply(&event("task.described", json!({"description": {"from": "", "to": "x".repeat(10_000)}})));
    assert!(task.bytes() - bare > 10_000);
}
