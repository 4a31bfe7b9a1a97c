//! Instances of the query-api that end politely while everybody works.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Method;
use taskfold_event_log::head;

use crate::harness::{Actor, App, Process, Sse, eventually};

const FOLLOWERS: usize = 12;
/// How long anybody may be without a stream: `retry:` is at most a second and a half, and the other instance is there.
const FEW_SECONDS: Duration = Duration::from_secs(4);

/// Somebody who follows through a balancer: after each break through the other instance.
struct Follower {
    seen: Mutex<Vec<i64>>,
    /// The longest time without a stream.
    longest: Mutex<Duration>,
}

async fn follow(ada: Actor, project: String, instances: [String; 2], first: usize, follower: Arc<Follower>) {
    let mut last_id = "0".to_owned();
    let mut lost: Option<Instant> = None;
    for turn in first.. {
        let ada = Actor { url: instances[turn % 2].clone(), ..ada.clone() };
        let path = format!("/v1/projects/{project}/events/stream?since=0");
        let request = ada.request(Method::GET, &path).header("last-event-id", &last_id);
        let mut retry = Duration::from_millis(100);
        if let Some(mut stream) = Sse::try_open(request).await {
            while let Some(frame) = stream.next().await {
                if let Some(lost) = lost.take() {
                    let mut longest = follower.longest.lock().unwrap();
                    *longest = longest.max(lost.elapsed());
                }
                if frame.data.get("changes").is_some() {
                    follower.seen.lock().unwrap().push(frame.data["position"].as_i64().unwrap());
                }
                if !frame.id.is_empty() {
                    last_id = frame.id;
                }
                if frame.event == "drain" {
                    retry = Duration::from_millis(frame.data["retry_ms"].as_u64().unwrap());
                }
            }
        }
        lost.get_or_insert_with(Instant::now);
        tokio::time::sleep(retry).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_loses_nothing_and_nobody_waits_long() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let data = app.data_dir.display().to_string();
    let settings = [
        "--database-url",
        &app.database_url,
        "--nats-url",
        &app.nats_url,
        "--stream",
        &app.stream,
        "--data-dir",
        &data,
    ];
    let mut instances = [Process::start("query-api", &settings), Process::start("query-api", &settings)];
    for instance in &instances {
        instance.ready().await;
    }
    let urls = [instances[0].url.clone(), instances[1].url.clone()];
    let (mut followers, mut following) = (Vec::new(), Vec::new());
    for first in 0..FOLLOWERS {
        let follower = Arc::new(Follower { seen: Mutex::default(), longest: Mutex::default() });
        followers.push(Arc::clone(&follower));
        following.push(tokio::spawn(follow(ada.clone(), project.clone(), urls.clone(), first, follower)));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let (writer, into, until) = (ada.clone(), project.clone(), Arc::clone(&stop));
    let writing = tokio::spawn(async move {
        while !until.load(Ordering::Relaxed) {
            writer.task(&into, "more").await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    for instance in &mut instances {
        tokio::time::sleep(Duration::from_secs(1)).await;
        instance.end_and_restart().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();
    let expected: Vec<i64> = (1..=head(&app.owner).await.unwrap()).collect();
    assert!(expected.len() > 100, "only {} events", expected.len());
    for follower in &followers {
        eventually("a follower has seen it all", || async {
            (follower.seen.lock().unwrap().last() == expected.last()).then_some(())
        })
        .await;
        assert_eq!(*follower.seen.lock().unwrap(), expected);
        let longest = *follower.longest.lock().unwrap();
        assert!(longest > Duration::ZERO && longest < FEW_SECONDS, "{longest:?} without a stream");
    }
    following.iter().for_each(tokio::task::JoinHandle::abort);
    drop(instances);
    app.finish().await;
}

#[tokio::test]
async fn each_client_is_told_another_time_to_come_back() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let path = format!("/v1/projects/{project}/events/stream?since=0");
    let streams = join_all((0..40).map(|_| Sse::open(ada.request(Method::GET, &path)))).await;
    let ended = join_all(streams.into_iter().map(|mut stream| async move {
        loop {
            let frame = stream.next().await.expect("it says when to come back before it ends");
            if frame.event == "drain" {
                return frame.data["retry_ms"].as_u64().unwrap();
            }
        }
    }));
    let ((), times) = tokio::join!(app.stop(), ended);
    let distinct: BTreeSet<u64> = times.iter().copied().collect();
    assert!(distinct.len() > 30, "{times:?}");
    let (least, greatest) = (*distinct.first().unwrap(), *distinct.last().unwrap());
    assert!(greatest - least > 300 && greatest < 5000, "{times:?}");
}
