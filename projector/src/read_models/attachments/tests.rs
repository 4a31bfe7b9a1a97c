//! Given events, then rows of files.

use serde_json::json;
use uuid::Uuid;

use crate::testing::{ANA, PROJECT, TASK, added, at, event, given, removed, task_created, then};

#[test]
fn a_file_is_added_and_removed() {
    let id = Uuid::from_u128(51);
    let file = json!({
        "id": id, "author_id": ANA, "file_name": "f.txt", "content_type": "text/plain", "size": 7, "sha256": "00",
    });
    let mut events = vec![task_created(), event("task.attachment_added", json!({"attachment": added(file.clone())}))];
    then(
        &given(&events).attachments,
        &[json!({
            "task_id": TASK, "attachment_id": id, "project_id": PROJECT, "author_id": ANA, "file_name": "f.txt",
            "content_type": "text/plain", "size": 7, "sha256": "00", "created_at": at(2), "position": 2,
        })],
    );
    events.push(event("task.attachment_removed", json!({"attachment": removed(file)})));
    then(&given(&events).attachments, &[]);
}
