use serde_json::json;
use taskfold_projector::stream;

use crate::harness::App;

/// A system with something in each read table, at rest.
async fn filled() -> (App, String) {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    ada.post(&format!("/v1/tasks/{task}/comments"), json!({"text": "hello"})).await.expect(201);
    app.settle().await;
    assert!(app.verify().await.is_clean());
    (app, task)
}

/// Plants a fault and says what `verify` must name.
async fn planted(sql: &str, named: &str) {
    let (app, _) = filled().await;
    for statement in sql.split(';') {
        sqlx::query(statement).execute(&app.owner).await.unwrap();
    }
    let report = app.verify().await;
    assert!(report.faults.iter().any(|fault| fault.contains(named)), "{named} is not in:\n{report}");
    app.stop().await;
}

#[tokio::test]
async fn a_gap_in_the_positions() {
    planted("DELETE FROM events WHERE position = 2", "positions 2 to 2 are missing").await;
}

#[tokio::test]
async fn a_head_that_is_not_the_last_event() {
    planted("UPDATE log_head SET position = 9", "the head says 9").await;
}

#[tokio::test]
async fn a_version_out_of_order() {
    planted("UPDATE events SET sequence = 7 WHERE position = 3", "has version 7 at position 3").await;
}

#[tokio::test]
async fn a_payload_that_was_changed() {
    planted(
        "UPDATE events SET payload = replace(payload::text, 'hello', 'hullo')::json WHERE position = 3",
        "sequence 3 is not the Change",
    )
    .await;
}

#[tokio::test]
async fn an_event_that_cannot_be_folded() {
    planted("UPDATE events SET payload = '{\"changes\": {}}' WHERE position = 2", "position 2 cannot be folded").await;
}

#[tokio::test]
async fn rows_that_differ_are_missing_or_are_too_many() {
    planted("UPDATE tasks SET title = 'X'", "differs from the log in title").await;
    planted("DELETE FROM comments", "is missing").await;
    planted("UPDATE projects SET columns = '[]'", "differs from the log in columns").await;
    planted(
        "INSERT INTO project_members SELECT project_id, gen_random_uuid(), 'owner', 1 FROM projects",
        "the log does not have it",
    )
    .await;
    planted("UPDATE task_documents SET document = 'other'", "task_documents").await;
    planted("DELETE FROM task_documents", "task_documents").await;
    planted("UPDATE column_counts SET tasks = 7", "column_counts").await;
}

#[tokio::test]
async fn a_stream_that_is_not_the_log() {
    let (app, _) = filled().await;
    let nats = app.nats().await;
    let context = stream::context(&nats);
    context.delete_stream(&app.stream).await.unwrap();
    // A stream of the same name and length with something else in it.
    let foreign = stream::ensure(&nats, &app.stream).await.unwrap();
    let prefix = stream::prefix(&app.stream);
    let project = uuid::Uuid::nil();
    for _ in 0..app.head().await {
        let subject = format!("{prefix}.events.{project}.task.{project}.created");
        let _ = context.publish(subject, "{}".into()).await.unwrap().await;
    }
    assert!(stream::last_sequence(&foreign).await.unwrap() >= app.head().await);
    let report = app.verify().await;
    assert!(report.faults.iter().any(|fault| fault.contains("is not the Change of its position")), "{report}");
    app.stop().await;
}
