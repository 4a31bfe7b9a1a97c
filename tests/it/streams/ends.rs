//! Each end and each refusal of a stream is logged once with its reason, and counted by reason.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Process, Sse, TestEnvironment, eventually};

/// Log lines with this message.
fn logged(log: &std::path::Path, message: &str) -> Vec<Value> {
    let log = std::fs::read_to_string(log).unwrap();
    // The last line may be written in part.
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.map(|line| line["fields"].clone()).filter(|fields| fields["message"] == message).collect()
}

fn reasons(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["reason"].as_str()).collect()
}

#[tokio::test]
async fn ends_and_refusals_state_their_reason_once() {
    let environment = TestEnvironment::new().await;
    std::fs::create_dir_all(&environment.data_dir).unwrap();
    let log = environment.data_dir.join("log.jsonl");
    let mut process = Process::start_logging("all", "info", &environment.settings(), &log);
    process.ready().await;
    let (ada, bea) = (Actor::sign_up(&process.url, "ada").await, Actor::sign_up(&process.url, "bea").await);
    let (project, _) = ada.project("P").await;
    let member = format!("/v1/projects/{project}/members/{}", bea.user_id);
    ada.put(&member, json!({"role": "member"})).await.expect(201);
    let path = format!("/v1/projects/{project}/events/stream");

    // A member who is removed.
    let mut removed = bea.stream(&format!("{path}?since=0")).await;
    let stream_id = removed.next().await.unwrap().data["stream_id"].as_str().unwrap().to_owned();
    ada.delete(&member).await.expect(200);
    while removed.next().await.is_some() {}
    // A client that disconnects.
    let mut closed = ada.stream(&format!("{path}?since=0")).await;
    assert_eq!(closed.changes_until(3).await, [1, 2, 3]);
    drop(closed);
    eventually("both ends are logged", || async { (logged(&log, "stream ended").len() == 2).then_some(()) }).await;
    let ends = logged(&log, "stream ended");
    assert_eq!(reasons(&ends), ["access-revoked", "client-closed"]);
    assert_eq!((ends[0]["stream_id"].as_str(), ends[0]["position"].as_i64()), (Some(stream_id.as_str()), Some(3)));
    assert_eq!((ends[0]["user_id"].as_str(), ends[1]["user_id"].as_str()), (Some(&*bea.user_id), Some(&*ada.user_id)));
    assert!(ends.iter().all(|end| end["duration_s"].as_f64().is_some_and(|seconds| seconds > 0.0)), "{ends:?}");

    // A stranger, the same on a reconnect, a cursor of another log, and no token.
    bea.get(&path).await.problem(404, "not-found");
    for (actor, last) in [(&bea, "3"), (&ada, "999")] {
        let mut refused = Sse::open(actor.request(Method::GET, &path).header("last-event-id", last)).await;
        while refused.next().await.is_some() {}
    }
    assert_eq!(reqwest::get(format!("{}{path}", process.url)).await.unwrap().status(), 401);
    let refusals = logged(&log, "stream refused");
    let expected = ["not-found", "access-revoked", "cursor-ahead", "unauthenticated"];
    assert_eq!(reasons(&refusals), expected);
    assert_eq!(refusals[1]["position"].as_i64(), Some(3), "{refusals:?}");

    let metrics = reqwest::get(format!("{}/metrics", process.url)).await.unwrap().text().await.unwrap();
    let counted = |name: &str, reason: &str| metrics.contains(&format!("{name}{{reason=\"{reason}\"}} 1\n"));
    for reason in ["access-revoked", "client-closed"] {
        assert!(counted("taskfold_stream_ends_total", reason), "{reason}: {metrics}");
    }
    for reason in expected {
        assert!(counted("taskfold_sse_refused_total", reason), "{reason}: {metrics}");
    }

    // A shutdown.
    let mut drained = ada.stream(&path).await;
    assert_eq!(drained.next().await.unwrap().event, "hello");
    process.signal(nix::sys::signal::Signal::SIGTERM);
    while drained.next().await.is_some() {}
    process.ends().await;
    assert_eq!(reasons(&logged(&log, "stream ended")), ["access-revoked", "client-closed", "drain"]);
}
