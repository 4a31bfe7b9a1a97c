//! Graceful shutdown of instances under load.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;
use sqlx::Connection as _;
use taskfold_event_log::head;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Actor, App, Process, Sse, eventually, new_id};

const FOLLOWERS: usize = 12;
const WRITERS: usize = 8;
/// Longest time without a stream: `retry:` is at most a second and a half, and the other instance is available.
const FEW_SECONDS: Duration = Duration::from_secs(4);

/// A client that follows through a load balancer: after each break through the other instance.
struct Follower {
    seen: Mutex<Vec<i64>>,
    /// The longest time without a stream.
    longest: Mutex<Duration>,
}

async fn follow(ada: Actor, project: String, instances: [String; 2], first: usize, follower: Arc<Follower>) {
    let mut last_id = "0".to_owned();
    let mut lost: Option<Instant> = None;
    for attempt in first.. {
        let ada = Actor { url: instances[attempt % 2].clone(), ..ada.clone() };
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
        // Time: the pause that the server asks for.
        tokio::time::sleep(retry).await;
    }
}

/// Waits until the log has gained more events.
async fn more_events(app: &App) {
    const MORE: i64 = 40;
    let before = app.head().await;
    eventually("there are more events", || async { (app.head().await >= before + MORE).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_loses_nothing_and_interrupts_streams_briefly() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let settings = app.settings();
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
            // Time: the pace of the writer.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    for instance in &mut instances {
        more_events(&app).await;
        instance.end_and_restart().await;
    }
    more_events(&app).await;
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();
    let expected: Vec<i64> = (1..=head(&app.owner).await.unwrap()).collect();
    assert!(expected.len() > 100, "only {} events", expected.len());
    for follower in &followers {
        eventually("a follower has received every event", || async {
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
async fn draining_clients_get_distinct_retry_times() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let path = format!("/v1/projects/{project}/events/stream?since=0");
    let streams = join_all((0..40).map(|_| Sse::open(ada.request(Method::GET, &path)))).await;
    let ended = join_all(streams.into_iter().map(|mut stream| async move {
        loop {
            let frame = stream.next().await.expect("`drain` comes before the end");
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

/// A command on a connection of its own; the server has read the head and requests the body.
struct Accepted {
    key: String,
    body: String,
    socket: TcpStream,
}

impl Accepted {
    /// Sends the head of a command that creates a task.
    async fn new(ada: &Actor, project: &str) -> Self {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        let (key, token) = (new_id().to_string(), ada.token.as_deref().unwrap());
        let body = json!({"title": key}).to_string();
        let length = body.len();
        let head = format!(
            "POST /v1/projects/{project}/tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\nIdempotency-Key: {key}\r\n\
             Expect: 100-continue\r\n\r\n"
        );
        let mut socket = TcpStream::connect(ada.url.trim_start_matches("http://")).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut seen = [0; CONTINUE.len()];
        socket.read_exact(&mut seen).await.unwrap();
        assert_eq!(seen, CONTINUE, "{}", String::from_utf8_lossy(&seen));
        Self { key, body, socket }
    }

    async fn send_body(&mut self) {
        self.socket.write_all(self.body.as_bytes()).await.unwrap();
    }

    /// The response, up to the end of the connection.
    async fn answer(&mut self) -> String {
        let mut answer = String::new();
        self.socket.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

fn command_api(app: &App) -> Process {
    let data = app.data_dir.display().to_string();
    Process::start("command-api", &["--database-url", &app.database_url, "--data-dir", &data])
}

/// Number of the command's events in the log.
async fn logged(app: &App, key: &str) -> i64 {
    let events = sqlx::query_scalar("SELECT count(*) FROM events WHERE command_id = $1::uuid").bind(key);
    events.fetch_one(&app.owner).await.unwrap()
}

#[tokio::test]
async fn accepted_commands_are_completed_after_sigterm() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let mut instance = command_api(&app);
    instance.ready().await;
    let client = Actor { url: instance.url.clone(), ..ada.clone() };

    // No command completes before the shutdown signal.
    let mut other = sqlx::PgConnection::connect(&app.database_url).await.unwrap();
    let mut holds_the_log = other.begin().await.unwrap();
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *holds_the_log).await.unwrap();
    let mut commands = join_all((0..24).map(|_| Accepted::new(&client, &project))).await;
    let (whole, halves) = commands.split_at_mut(16);
    join_all(whole.iter_mut().map(Accepted::send_body)).await;
    instance.signal(Signal::SIGTERM);
    let address = client.url.trim_start_matches("http://");
    eventually("no connection is accepted", || async { TcpStream::connect(address).await.err() }).await;
    join_all(halves.iter_mut().map(Accepted::send_body)).await;
    holds_the_log.rollback().await.unwrap();

    for command in &mut commands {
        let answer = command.answer().await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        assert_eq!(logged(&app, &command.key).await, 1);
    }
    instance.ends().await;
    app.finish().await;
}

/// Sends commands until the connection fails. Returns the keys of those that were answered, and of the one that was
/// not.
async fn write(ada: Actor, project: String) -> (Vec<String>, String) {
    let mut answered = Vec::new();
    loop {
        let key = new_id().to_string();
        let request = ada.request(Method::POST, &format!("/v1/projects/{project}/tasks"));
        match request.header("idempotency-key", &key).json(&json!({"title": key})).send().await {
            Ok(answer) => assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap_or_default()),
            Err(_) => return (answered, key),
        }
        answered.push(key);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_leaves_no_command_refused_or_unanswered() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let mut instance = command_api(&app);
    instance.ready().await;
    let client = Actor { url: instance.url.clone(), ..ada.clone() };
    for _ in 0..3 {
        let before = app.head().await;
        let writing: Vec<_> = (0..WRITERS).map(|_| tokio::spawn(write(client.clone(), project.clone()))).collect();
        eventually("commands are accepted", || async { (app.head().await > before + 100).then_some(()) }).await;
        instance.end_and_restart().await;
        for writer in writing {
            let (answered, unanswered) = writer.await.unwrap();
            assert!(!answered.is_empty());
            for key in &answered {
                assert_eq!(logged(&app, key).await, 1);
            }
            // Its request was not read, then.
            assert_eq!(logged(&app, &unanswered).await, 0, "a command was executed and not answered");
        }
    }
    drop(instance);
    app.finish().await;
}
