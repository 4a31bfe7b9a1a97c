//! A nats-server that responds, but whose stream no longer accepts messages.

use serde_json::json;

use crate::harness::{Actor, Disk, Process, TestEnvironment, data_dir};
use crate::health::reports;

#[tokio::test]
async fn a_stream_that_stalled_on_a_full_disk_is_published_again_when_space_is_free() {
    let dir = data_dir("frozen");
    let Some(disk) = Disk::needed(&dir.join("nats/store"), 64) else { return };
    let environment = TestEnvironment::new().await;
    let dir = dir.to_str().unwrap();
    let settings = ["--database-url", &environment.database_url, "--stream", &environment.stream, "--data-dir", dir];
    let process = Process::start("all", &settings);
    process.ready().await;
    let ada = Actor::sign_up(&process.url, "ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    reports(&process.url, "publication", "ok", "at 2 of 2").await;
    let mut stream = ada.stream(&format!("/v1/projects/{project}/events/stream?since=0")).await;

    disk.fill();
    const MISSED: i64 = 20;
    for n in 0..MISSED {
        let body = json!({"description": format!("{n}").repeat(2_000)});
        ada.patch(&format!("/v1/tasks/{task}"), body).await.expect(200);
    }
    reports(&process.url, "publication", "ok", "the oldest event has waited for").await;
    disk.clear();

    let head = 2 + MISSED;
    reports(&process.url, "embedded-nats", "ok", "restarted 1 times").await;
    reports(&process.url, "publication", "ok", &format!("at {head} of {head}")).await;
    // No message is missing or repeated.
    let seen = stream.changes_until(head).await;
    assert_eq!(seen, (1..=head).collect::<Vec<i64>>());
}
