//! Operation without NATS, or without one server of its cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::harness::{App, Cluster, NetworkProxy, Sse, TestEnvironment, eventually};

async fn until(stream: &mut Sse, event: &str) -> crate::harness::Frame {
    loop {
        let frame = stream.next().await.unwrap();
        if frame.event == event {
            return frame;
        }
        assert!(!frame.event.starts_with("task."), "{frame:?}");
    }
}

#[tokio::test]
async fn streams_continue_without_jetstream_as_degraded_without_loss_or_duplicates() {
    let environment = TestEnvironment::new().await;
    let proxy = NetworkProxy::to_nats(&environment.nats_url).await;
    let app = App::start_at(TestEnvironment { nats_url: proxy.nats_url(), ..environment }).await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let mut stream = ada.stream(&format!("/v1/projects/{project}/events/stream")).await;
    assert_eq!(stream.next().await.unwrap().event, "hello");
    let make = async |count: usize| {
        for i in 0..count {
            ada.task(&project, &format!("{i}")).await;
        }
        app.head().await
    };
    let mut seen = stream.changes_until(make(5).await).await;
    for _ in 0..2 {
        proxy.cut();
        let head = make(5).await;
        seen.extend(stream.changes_until(head).await);
        let degraded = until(&mut stream, "degraded").await;
        assert_eq!((degraded.id.parse().unwrap(), &degraded.data["head"]), (head, &json!(head)));
        seen.extend(stream.changes_until(make(5).await).await);
        let ready = ada.get("/health/ready").await.expect(200);
        let nats = ready["dependencies"].as_array().unwrap().iter().find(|d| d["name"] == "nats").unwrap().clone();
        assert_eq!(nats["state"], "degraded");

        proxy.repair();
        until(&mut stream, "recovered").await;
        eventually("missed events are published", || async {
            (app.published(&app.nats().await).await? == app.head().await).then_some(())
        })
        .await;
        seen.extend(stream.changes_until(make(5).await).await);
    }
    assert_eq!(seen, (2..=app.head().await).collect::<Vec<i64>>());
    drop(stream);
    app.finish().await;
}

/// Time limit for full recovery after the cluster has a new leader: the goal, plus a margin for a busy machine.
const AFTER_ELECTION: Duration = Duration::from_secs(3 + 3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_continues_in_order_when_the_stream_leader_is_killed_under_load() {
    let mut cluster = Cluster::start("leader").await;
    let flags = vec!["--stream-replicas".to_owned(), "3".to_owned()];
    let app =
        App::start_at(TestEnvironment { nats_url: cluster.nats_url.clone(), flags, ..TestEnvironment::new().await })
            .await;
    let (ada, project, _) = app.with_a_task().await;
    let mut stream = ada.stream(&format!("/v1/projects/{project}/events/stream?since=0")).await;
    let seen = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(frame) = stream.next_change().await {
            seen.push(frame.data["position"].as_i64().unwrap());
        }
        seen
    });
    let stop = Arc::new(AtomicBool::new(false));
    let (writer, into, until) = (ada.clone(), project.clone(), Arc::clone(&stop));
    let writing = tokio::spawn(async move {
        while !until.load(Ordering::Relaxed) {
            writer.task(&into, "T").await;
            // Time: the pace of the writer.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    for _ in 0..2 {
        let leader = eventually("the stream has a leader", || cluster.leader(&app.stream, None)).await;
        let before = cluster.last_sequence(&app.stream, leader).await.unwrap();
        cluster.kill(leader);
        let next = eventually("it has another", || cluster.leader(&app.stream, Some(leader))).await;
        let elected = Instant::now();
        eventually("publishing continues", || async {
            cluster.last_sequence(&app.stream, next).await.filter(|last| *last > before + 10)
        })
        .await;
        let resumed = elected.elapsed();
        let head = app.head().await;
        eventually("waiting events are published", || async {
            cluster.last_sequence(&app.stream, next).await.filter(|last| *last >= head)
        })
        .await;
        assert!(resumed < AFTER_ELECTION, "publishing resumed {resumed:?} after the election");
        cluster.start_again(leader).await;
    }
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();
    app.settle().await;
    let report = app.verify().await;
    assert!(report.is_clean(), "{report}");
    let head = app.head().await;
    app.stop().await;
    let seen = seen.await.unwrap();
    assert_eq!(seen, (1..=head).collect::<Vec<i64>>());
}
