//! Given events, then rows of comments.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::testing::{ANA, BEN, PROJECT, TASK, added, applied, at, event, from_to, given, removed, task_created, then};

const COMMENT: Uuid = Uuid::from_u128(41);

fn comment() -> Value {
    json!({"id": COMMENT, "author_id": ANA, "text": "first", "mentions": [BEN]})
}

fn reaction(user: Uuid, emoji: &str) -> Value {
    json!({"comment_id": COMMENT, "user_id": user, "emoji": emoji})
}

/// Each case: an event after the one before, and the row after it.
#[test]
fn a_comment_is_written_edited_reacted_to_and_removed() {
    let body = |text: &str, mentions: &[Uuid]| json!({"id": COMMENT, "text": text, "mentions": mentions});
    let cases = [
        (
            event("task.commented", json!({"comment": added(comment())})),
            vec![json!({
                "task_id": TASK, "comment_id": COMMENT, "project_id": PROJECT, "author_id": ANA, "text": "first",
                "mentions": [BEN], "created_at": at(2), "edited_at": null, "reactions": [], "position": 2,
            })],
        ),
        (
            event("task.comment_edited", json!({"comment": from_to(body("first", &[BEN]), body("second", &[]))})),
            vec![json!({"text": "second", "mentions": [], "created_at": at(2), "edited_at": at(3), "position": 2})],
        ),
        (
            event("task.reaction_added", json!({"reaction": added(reaction(BEN, "+"))})),
            vec![json!({"reactions": [{"emoji": "+", "user_id": BEN}], "edited_at": at(3)})],
        ),
        (
            event("task.reaction_added", json!({"reaction": added(reaction(ANA, "+"))})),
            vec![json!({"reactions": [{"emoji": "+", "user_id": BEN}, {"emoji": "+", "user_id": ANA}]})],
        ),
        (
            event("task.reaction_removed", json!({"reaction": removed(reaction(BEN, "+"))})),
            vec![json!({"reactions": [{"emoji": "+", "user_id": ANA}]})],
        ),
        (event("task.comment_removed", json!({"comment": removed(comment())})), vec![]),
    ];
    let mut events = vec![task_created()];
    for (event, rows) in cases {
        events.push(event);
        then(&given(&events).comments, &rows);
    }
}

#[test]
fn an_event_of_a_comment_without_a_row_changes_nothing_not_even_the_task() {
    let mut tables = given(&[task_created()]);
    let reacted = event("task.reaction_added", json!({"reaction": added(reaction(BEN, "+"))}));
    assert_eq!(applied(&mut tables, 2, &reacted), Err("it is about a comment that has no row".to_owned()));
    then(&tables.tasks, &[json!({"version": 1})]);
}
