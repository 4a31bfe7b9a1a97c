//! `taskfold verify` detects every kind of planted inconsistency.

use reqwest::Method;
use serde_json::json;
use taskfold_projector::stream;

use crate::harness::App;

/// A system with a row in each read table, idle.
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

/// Plants a fault and checks that `verify` reports this.
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
async fn a_gap_in_the_positions_is_reported() {
    planted("DELETE FROM events WHERE position = 2", "positions 2 to 2 are missing").await;
}

#[tokio::test]
async fn a_head_that_is_not_the_last_event_is_reported() {
    planted("UPDATE log_head SET position = 9", "the head says 9").await;
}

#[tokio::test]
async fn a_version_out_of_order_is_reported() {
    planted("UPDATE events SET sequence = 7 WHERE position = 3", "has version 7 at position 3").await;
}

#[tokio::test]
async fn a_changed_payload_is_reported() {
    let changed = "sequence 3 is not the Change";
    planted("UPDATE events SET words = array_replace(words, 'hello', 'hullo') WHERE position = 3", changed).await;
    let mentions = "replace(payload::text, '\"mentions\":[]', format('\"mentions\":[\"%s\"]', actor_id))::json";
    planted(&format!("UPDATE events SET payload = {mentions} WHERE position = 3"), changed).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_folded_is_reported() {
    planted("UPDATE events SET payload = '{\"changes\": {}}' WHERE position = 2", "position 2 cannot be folded").await;
}

#[tokio::test]
async fn different_missing_and_additional_rows_are_reported() {
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

/// Tables that the projector writes and that are not read tables.
const ITS_OWN: [&str; 3] = ["projection_checkpoint", "projector_lease", "set_aside_events"];

#[tokio::test]
async fn a_missing_row_of_any_read_table_is_reported() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (project, _) = ada.project("P").await;
    ada.post(&format!("/v1/projects/{project}/labels"), json!({"name": "L", "color": "red"})).await.expect(201);
    let member = format!("/v1/projects/{project}/members/{}", bea.user_id);
    ada.put(&member, json!({"role": "member"})).await.expect(201);
    let team = ada.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    let grant = format!("/v1/projects/{project}/teams/{team}");
    ada.put(&grant, json!({"role": "viewer"})).await.expect(201);
    let team_member = format!("/v1/teams/{team}/members/{}", bea.user_id);
    ada.put(&team_member, json!({"role": "member"})).await.expect(201);
    // Ended memberships are kept, too.
    ada.put(&member, json!({"role": "admin"})).await.expect(200);
    ada.put(&grant, json!({"role": "member"})).await.expect(200);
    ada.delete(&team_member).await.expect(200);
    let task = ada.task(&project, "T").await;
    ada.post(&format!("/v1/tasks/{task}/comments"), json!({"text": "@bea, look"})).await.expect(201);
    let file = ada.request(Method::POST, &format!("/v1/tasks/{task}/attachments?file_name=f")).body("bytes");
    ada.send(file).await.expect(201);
    app.settle().await;
    assert!(app.verify().await.is_clean());

    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT relname::text, (SELECT string_agg(attname, ', ') FROM pg_attribute \
             WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') \
         FROM pg_class t WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
         AND has_table_privilege('taskfold_projector', oid, 'DELETE') AND relname <> ALL ($1)",
    )
    .bind(ITS_OWN)
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let run = async |sql: String| sqlx::query(&sql).execute(&app.owner).await.unwrap().rows_affected();
    for (table, columns) in tables {
        run(format!("CREATE TABLE kept AS SELECT * FROM {table} LIMIT 1")).await;
        let deleted = run(format!("DELETE FROM {table} AS t USING kept WHERE t.* IS NOT DISTINCT FROM kept.*")).await;
        assert_eq!(deleted, 1, "{table} is empty: fill it above");
        let report = app.verify().await;
        let named = format!("{table}: ");
        assert!(report.faults.iter().any(|fault| fault.starts_with(&named)), "{table} is not compared:\n{report}");
        run(format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM kept ON CONFLICT DO NOTHING")).await;
        run("DROP TABLE kept".to_owned()).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn a_stream_that_differs_from_the_log_is_reported() {
    let (app, _) = filled().await;
    let nats = app.nats().await;
    let context = stream::context(&nats);
    context.delete_stream(&app.stream).await.unwrap();
    // A stream of the same name and length with other contents.
    let log = taskfold_event_log::identity(&app.owner).await.unwrap();
    let key = taskfold_event_log::publication_key(&app.owner).await.unwrap();
    let foreign = stream::ensure(&context, &app.stream, &log, &key, 1).await.unwrap();
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
