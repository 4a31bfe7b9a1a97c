//! Readiness while servers respond but work does not progress.

use serde_json::{Value, json};
use sqlx::Connection as _;
use taskfold_event_log::metrics;

use crate::harness::{Actor, App, Process, TestEnvironment, clock, eventually};

async fn ready(url: &str) -> Value {
    Actor::anonymous(url).get("/health/ready").await.body
}

fn dependency<'a>(ready: &'a Value, name: &str) -> &'a Value {
    ready["dependencies"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()
}

/// Waits until readiness reports this state of a dependency with this detail; returns the whole report.
pub async fn reports(url: &str, name: &str, state: &str, detail: &str) -> Value {
    eventually("readiness reports it", || async {
        let ready = ready(url).await;
        let found = dependency(&ready, name);
        let so = found["state"] == state && found["detail"].as_str().unwrap().contains(detail);
        so.then_some(ready)
    })
    .await
}

#[tokio::test]
async fn a_complete_system_is_ready() {
    let app = App::start().await;
    app.with_a_task().await;
    let ready = ready(&app.url).await;
    assert_eq!((&ready["commands"], &ready["reads"]), (&json!("ok"), &json!("ok")), "{ready}");
    app.finish().await;
}

#[tokio::test]
async fn a_suspended_log_accepts_no_commands_and_can_be_read() {
    let app = App::start().await;
    app.with_a_task().await;
    sqlx::query("SELECT taskfold_suspend_log('for a test')").execute(&app.owner).await.unwrap();
    let ready = reports(&app.url, "log", "down", "for a test").await;
    assert_eq!((&ready["commands"], &ready["reads"]), (&json!("down"), &json!("ok")), "{ready}");
    sqlx::query("UPDATE log_head SET suspended = NULL").execute(&app.owner).await.unwrap();
    app.finish().await;
}

#[tokio::test]
async fn a_stalled_projection_is_reported_with_its_age() {
    let app = App::start().await;
    let (ada, _, task) = app.with_a_task().await;
    let mut tx = app.owner.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM projection_checkpoint FOR UPDATE").execute(&mut *tx).await.unwrap();
    ada.patch(&format!("/v1/tasks/{task}"), json!({"title": "not projected"})).await.expect(200);
    let ready = reports(&app.url, "projection", "degraded", "the oldest event has waited for 1").await;
    assert_eq!((&ready["commands"], &ready["reads"]), (&json!("ok"), &json!("degraded")), "{ready}");
    tx.rollback().await.unwrap();
    reports(&app.url, "projection", "ok", "at 3 of 3").await;
    app.finish().await;
}

#[tokio::test]
async fn a_stream_of_another_log_is_reported() {
    let (one, other) = (TestEnvironment::new().await, TestEnvironment::new().await);
    let first = App::start_at(one.clone()).await;
    first.with_a_task().await;
    let mut db = sqlx::PgConnection::connect(&other.database_url).await.unwrap();
    sqlx::query("UPDATE log_identities SET log_id = gen_random_uuid()").execute(&mut db).await.unwrap();
    let second = App::start_at(TestEnvironment { stream: one.stream.clone(), ..other }).await;
    reports(&second.url, "publication", "degraded", "belongs to another log").await;
    second.stop().await;
    first.finish().await;
}

#[tokio::test]
async fn a_message_published_by_another_program_is_reported() {
    let app = App::start().await;
    app.with_a_task().await;
    let nats = app.nats().await;
    let subject = format!("{}.events.x", app.stream.to_lowercase());
    taskfold_projector::stream::context(&nats).publish(subject, "junk".into()).await.unwrap().await.unwrap();
    reports(&app.url, "publication", "down", "the message at 3 of the stream").await;
    app.stop().await;
}

#[tokio::test]
async fn incomplete_side_tables_are_reported_until_they_are_rebuilt() {
    let app = App::start().await;
    let (ada, project, task) = app.with_a_task().await;
    let columns = ada.get(&format!("/v1/projects/{project}")).await.expect(200)["columns"].clone();
    reports(&app.url, "write-side", "ok", "").await;
    sqlx::query("DELETE FROM task_places").execute(&app.owner).await.unwrap();
    let to = json!({"column_id": columns[1]["id"]});
    ada.post(&format!("/v1/tasks/{task}/move"), to.clone()).await.problem(503, "unavailable");
    let ready = reports(&app.url, "write-side", "degraded", &task).await;
    assert_eq!((&ready["commands"], &ready["reads"]), (&json!("degraded"), &json!("ok")), "{ready}");
    taskfold_projector::write_side::repair(&app.owner).await.unwrap();
    let ready = reports(&app.url, "write-side", "ok", "").await;
    assert_eq!(ready["commands"], json!("ok"), "{ready}");
    ada.post(&format!("/v1/tasks/{task}/move"), to).await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn every_worker_reports_its_last_success() {
    let environment = TestEnvironment::new().await;
    let process = Process::start("all", &environment.settings());
    process.ready().await;
    let ada = Actor::sign_up(&process.url, "ada").await;
    ada.project("P").await;
    let workers = [
        "committer",
        "reminders",
        "imports",
        "janitor",
        "projector",
        "publisher",
        "live-feed",
        "log-identity",
        "clock",
        "keys",
    ];
    let began = clock().machine_time().timestamp() as f64 - 60.0;
    eventually("all of them have succeeded", || async {
        let metrics = reqwest::get(format!("{}/metrics", process.url)).await.unwrap().text().await.unwrap();
        let at = |worker: &str| -> Option<f64> {
            let name = format!("taskfold_worker_last_success_timestamp_seconds{{worker=\"{worker}\"}} ");
            metrics.lines().find_map(|line| line.strip_prefix(&name))?.parse().ok()
        };
        workers.iter().all(|worker| at(worker).is_some_and(|at| at > began)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_served_metric_is_declared_and_has_a_help_text() {
    let environment = TestEnvironment::new().await;
    let process = Process::start("all", &environment.settings());
    process.ready().await;
    let ada = Actor::sign_up(&process.url, "ada").await;
    ada.project("P").await;
    let text = reqwest::get(format!("{}/metrics", process.url)).await.unwrap().text().await.unwrap();
    let lines = |begin: &str| -> Vec<(String, String)> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(begin)?.split_once(' '));
        lines.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
    };
    let served = lines("# TYPE ");
    assert!(served.len() > 10, "{text}");
    let helped = lines("# HELP ");
    for (name, _) in served {
        let declared = metrics::ALL.iter().find(|metric| metric.name == name);
        let help = helped.iter().find(|(helped, _)| *helped == name).map(|(_, help)| help.as_str());
        assert_eq!(help, declared.map(|metric| metric.help), "{name}");
        assert!(declared.is_some(), "{name} is not in the registry");
    }
}

#[tokio::test]
async fn the_wait_for_a_database_connection_is_measured() {
    let environment = TestEnvironment::new().await;
    let process = Process::start("all", &environment.settings());
    process.ready().await;
    let ada = Actor::sign_up(&process.url, "ada").await;
    let (project, _) = ada.project("P").await;
    let wait = async || {
        let metrics = reqwest::get(format!("{}/metrics", process.url)).await.unwrap().text().await.unwrap();
        let name = "taskfold_database_connection_wait_seconds{role=\"taskfold query-api\"} ";
        metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse::<f64>().unwrap()
    };
    eventually("no session waits", || async { (wait().await < 0.5).then_some(()) }).await;
    // All connections wait for the lock, and the next caller for a connection.
    let mut owner = sqlx::PgConnection::connect(&environment.database_url).await.unwrap();
    let mut lock = owner.begin().await.unwrap();
    sqlx::query("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    let path = format!("/v1/projects/{project}/tasks");
    let reading = futures::future::join_all(std::iter::repeat_with(|| ada.get(&path)).take(24));
    let (_, ()) = tokio::join!(reading, async {
        eventually("a session waits", || async { (wait().await > 0.9).then_some(()) }).await;
        lock.rollback().await.unwrap();
    });
    eventually("no session waits again", || async { (wait().await < 0.5).then_some(()) }).await;
}
