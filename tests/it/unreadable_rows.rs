//! Rows and events that our code did not write: each stops its own aggregate and nothing else.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use taskfold_projector::{dead_letters, stream};
use uuid::Uuid;

use crate::harness::{Actor, App, eventually};

async fn run(app: &App, sql: &str) {
    sqlx::raw_sql(sql).execute(&app.owner).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Changes the task, and waits until the change can be read.
async fn works(ada: &Actor, task: &str, title: &str) {
    let path = format!("/v1/tasks/{task}");
    let position = ada.patch(&path, json!({"title": title})).await.expect(200)["position"].as_i64().unwrap();
    assert_eq!(ada.get_at(&path, position).await.expect(200)["title"], title);
}

async fn list_dead_letters(app: &App) -> Vec<String> {
    let sql = "SELECT DISTINCT aggregate_id FROM set_aside_events ORDER BY 1";
    sqlx::query_scalar(sql).fetch_all(&app.owner).await.unwrap()
}

async fn projection(app: &App) -> Value {
    let ready = app.anonymous().get("/health/ready").await.expect(200);
    ready["dependencies"].as_array().unwrap().iter().find(|d| d["name"] == "projection").unwrap().clone()
}

async fn retried(app: &App) {
    dead_letters::request_retry(&app.owner).await.unwrap();
    eventually("all are retried", || async { list_dead_letters(app).await.is_empty().then_some(()) }).await;
}

#[tokio::test]
async fn unreadable_rows_stop_only_their_own_aggregates_until_a_retry() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let (other, _) = ada.project("Q").await;
    let well = ada.task(&project, "well").await;
    let beside_a_sick_project = ada.task(&other, "beside").await;
    let watch = format!("/v1/projects/{other}/watch");
    ada.put(&watch, json!({})).await.expect(200);
    let sick = [
        "UPDATE tasks SET status = 'asleep' WHERE task_id = $1",
        "UPDATE tasks SET checklists = '{\"no\": \"list\"}' WHERE task_id = $1",
        "UPDATE tasks SET due_at = 'infinity' WHERE task_id = $1",
        "UPDATE tasks SET start_at = '-infinity' WHERE task_id = $1",
        "UPDATE tasks SET updated_at = '20000-01-01Z' WHERE task_id = $1",
        "UPDATE tasks SET estimate_minutes = -1 WHERE task_id = $1",
        "UPDATE comments SET reactions = '[7]' WHERE task_id = $1",
        "UPDATE tasks SET column_id = gen_random_uuid(), priority = '' WHERE task_id = $1",
    ];
    let mut tasks = Vec::new();
    for _ in sick {
        let task = ada.task(&project, "sick").await;
        let reply = ada.post(&format!("/v1/tasks/{task}/comments"), json!({"text": "hello"})).await.expect(201);
        tasks.push((task, reply["created_id"].as_str().unwrap().to_owned()));
    }
    app.settle().await;
    for (sql, (task, _)) in sick.iter().zip(&tasks) {
        sqlx::query(sql).bind(task.parse::<Uuid>().unwrap()).execute(&app.owner).await.unwrap();
    }
    run(&app, &format!("UPDATE projects SET columns = '7' WHERE project_id = '{other}'")).await;
    // The projector caches the rows, as long as no other process writes them.
    run(&app, "UPDATE projection_checkpoint SET generation = generation + 1").await;

    // All at once, so that they come in one batch with valid events.
    for (task, comment) in &tasks {
        ada.patch(&format!("/v1/tasks/{task}"), json!({"title": "still sick"})).await.expect(200);
        let edit = json!({"text": "hello again"});
        ada.patch(&format!("/v1/tasks/{task}/comments/{comment}"), edit).await.expect(200);
    }
    works(&ada, &well, "still well").await;
    // A project with a dead letter does not stop its tasks, and its subscribers are notified.
    let bea = app.person("bea").await;
    ada.put(&format!("/v1/projects/{other}/members/{}", bea.user_id), json!({"role": "member"})).await.expect(201);
    works(&ada, &beside_a_sick_project, "still well beside it").await;
    app.settle().await;

    let mut expected: Vec<String> = tasks.iter().map(|(task, _)| task.clone()).chain([other.clone()]).collect();
    expected.sort();
    assert_eq!(list_dead_letters(&app).await, expected);
    assert_eq!(projection(&app).await["state"], "degraded");
    assert!(!app.verify().await.is_clean());
    retried(&app).await;
    for (task, _) in &tasks {
        works(&ada, task, "cured").await;
    }
    assert_eq!(projection(&app).await["state"], "ok");
    app.finish().await;
}

#[tokio::test]
async fn unreadable_events_stop_only_their_own_aggregates_until_they_are_repaired() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let well = ada.task(&project, "well").await;
    let sick = [
        ("task.sublimated", r#"{"changes": {}}"#),
        ("task.renamed", r#"{"changes": {"title": 7}}"#),
        ("task.renamed", r#"{"changes": {"title": {"from": "sick", "to": "a\u0000b"}}}"#),
        ("task.renamed", r#"{"changes": {"title": {"from": "sick", "to": "half \ud83d"}}}"#),
        ("task.estimated", r#"{"changes": {"estimate_minutes": {"from": null, "to": 4294967295}}}"#),
        ("task.estimated", r#"{"changes": {"estimate_minutes": {"from": null, "to": 1e400}}}"#),
        ("task.estimated", r#"{"changes": {"estimate_minutes": {"from": null, "to": 99999999999999999999}}}"#),
        (
            "task.completed",
            r#"{"changes": {"status": {"from": "todo", "to": "completed"}, "elapsed_ms": {"from": 0, "to": 18446744073709551615}}}"#,
        ),
        ("task.scheduled", r#"{"changes": {"due_at": {"from": null, "to": "2026-02-30T00:00:00Z"}}}"#),
        ("task.comment_edited", r#"{"changes": {"comment": {"from": null, "to": null}}}"#),
        ("task.renamed\r\nX: y", r#"{"changes": {}}"#),
        ("", r#""nothing""#),
        ("task.renamed", r#"[1, 2]"#),
    ];
    let mut planted = Vec::new();
    for (event_type, payload) in sick {
        let task = ada.task(&project, "sick").await;
        app.settle().await;
        planted.push((app.plant(&task, event_type, payload).await, task));
    }
    let unknown = ada.task(&project, "of no kind").await;
    let position = app.plant(&unknown, "task.renamed", r#"{"changes": {}}"#).await;
    run(&app, &format!("UPDATE events SET aggregate_type = 'thing' WHERE position = {position}")).await;

    works(&ada, &well, "still well").await;
    app.settle().await;
    let mut expected: Vec<String> = planted.iter().map(|(_, task)| task.clone()).chain([unknown]).collect();
    expected.sort();
    assert_eq!(list_dead_letters(&app).await, expected);
    let detail = projection(&app).await["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(&format!("{} dead letters", expected.len())), "{detail}");

    // A dead letter that still fails does not prevent the retry of others.
    let mend = "UPDATE events SET event_type = 'task.renamed', aggregate_type = 'task', \
         payload = '{\"changes\": {\"title\": {\"from\": \"sick\", \"to\": \"cured\"}}}' WHERE position = ";
    let (last, others) = planted.split_last().unwrap();
    for (position, _) in others {
        run(&app, &format!("{mend}{position}")).await;
    }
    dead_letters::request_retry(&app.owner).await.unwrap();
    eventually("repaired dead letters are retried", || async {
        (list_dead_letters(&app).await.len() == 2).then_some(())
    })
    .await;
    run(&app, &format!("{mend}{}", last.0)).await;
    run(&app, &format!("{}{position}", mend.replace("\"sick\"", "\"of no kind\""))).await;
    retried(&app).await;
    for (_, task) in &planted {
        assert_eq!(ada.get(&format!("/v1/tasks/{task}")).await.expect(200)["title"], "cured");
    }
    // The stream still has the earlier messages: it is published again.
    stream::context(&app.nats().await).delete_stream(&app.stream).await.unwrap();
    works(&ada, &well, "well to the end").await;
    app.finish().await;
}

#[tokio::test]
async fn event_times_beyond_the_bounds_are_read_and_reported() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let (odd, well) = (ada.task(&project, "odd").await, ada.task(&project, "well").await);
    app.settle().await;
    let position = app.plant(&odd, "task.renamed", r#"{"changes": {"title": {"from": "odd", "to": "odder"}}}"#).await;
    run(&app, &format!("UPDATE events SET occurred_at = 'infinity' WHERE position = {position}")).await;
    let position =
        app.plant(&odd, "task.renamed", r#"{"changes": {"title": {"from": "odder", "to": "oddest"}}}"#).await;
    run(&app, &format!("UPDATE events SET occurred_at = '-infinity' WHERE position = {position}")).await;
    works(&ada, &well, "still well").await;
    assert_eq!(ada.get(&format!("/v1/tasks/{odd}")).await.expect(200)["title"], "oddest");
    app.settle().await;
    let report = app.verify().await;
    assert!(report.faults.iter().any(|fault| fault.contains("has a time beyond")), "{report}");
    run(&app, "UPDATE events SET occurred_at = recorded_at").await;
    stream::context(&app.nats().await).delete_stream(&app.stream).await.unwrap();
    works(&ada, &well, "well to the end").await;
    app.finish().await;
}

/// Events as stored by an earlier release.
#[tokio::test]
async fn a_leap_second_in_the_log_is_read_as_the_next_second() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let (last, well) = (ada.task(&project, "last").await, ada.task(&project, "well").await);
    let due =
        |at: &str| format!(r#"{{"type": "task.scheduled", "changes": {{"due_at": {{"from": null, "to": "{at}"}}}}}}"#);
    app.settle().await;
    app.plant(&last, "task.scheduled", &due("9999-12-31T23:59:60Z")).await;
    works(&ada, &well, "still well").await;
    assert_eq!(ada.get(&format!("/v1/tasks/{last}")).await.expect(200)["due_at"], "9999-12-31T23:59:59.999999Z");
    ada.patch(&format!("/v1/tasks/{last}"), json!({"due_at": null})).await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn times_within_the_bounds_are_accepted_and_others_are_refused() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let tasks = format!("/v1/projects/{project}/tasks");
    for beyond in [
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+00:01",
        "0000-12-31T00:00:00Z",
        "-0001-12-31T00:00:00Z",
        "+10000-01-01T00:00:00Z",
    ] {
        for field in ["due_at", "start_at"] {
            let refused = ada.post(&tasks, json!({"title": "T", field: beyond})).await;
            assert_eq!(
                refused.problem(422, "validation-failed")["errors"][0]["pointer"],
                format!("/{field}"),
                "{beyond}"
            );
        }
        let query = beyond.replace('+', "%2B");
        for filter in ["due_before", "due_after", "updated_since"] {
            let refused = ada.get(&format!("{tasks}?{filter}={query}")).await;
            refused.problem(422, "validation-failed");
        }
        ada.get(&format!("/v1/projects/{project}/calendar?from={query}&to=2026-01-01"))
            .await
            .problem(422, "validation-failed");
        ada.post("/v1/api-tokens", json!({"name": "N", "access": "read", "expires_at": beyond}))
            .await
            .problem(422, "validation-failed");
    }
    for (at, stored) in [
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.5+00:00", "2017-01-01T00:00:00.500Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
        ("9999-12-31T23:59:59+01:00", "9999-12-31T22:59:59Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ] {
        let made = ada.post(&tasks, json!({"title": at, "due_at": at, "start_at": at})).await.expect(201);
        let path = format!("/v1/tasks/{}", made["id"].as_str().unwrap());
        let read = ada.get_at(&path, made["position"].as_i64().unwrap()).await.expect(200);
        let same = |time: &Value| time.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        assert_eq!(same(&read["due_at"]), same(&json!(stored)), "{at}: {read}");
        assert_eq!(made["events"][0]["changes"]["due_at"]["to"], json!(stored), "{at}");
    }
    // Times at both ends of the range, which are in another year in these time zones.
    for (from, tz) in [("9999-01-01T00:00:00Z", "Pacific/Kiritimati"), ("0001-01-01T00:00:00Z", "America/Adak")] {
        let to = from.replace("-01-01T00:00:00Z", "-12-31T23:59:59Z");
        let days = ada.get(&format!("/v1/projects/{project}/calendar?from={from}&to={to}&tz={tz}")).await.expect(200);
        for item in days["items"].as_array().unwrap() {
            assert_eq!(item["due_date"].as_str().unwrap().len(), 10, "{item}");
        }
    }
    app.finish().await;
}
