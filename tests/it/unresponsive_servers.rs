//! Servers and networks that do not respond, which is worse than being unavailable.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use sqlx::Connection as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::harness::{Actor, Answer, App, NetworkProxy, Process, Sse, TestEnvironment, eventually};

/// The deadline of a request, plus a margin for a busy machine.
pub const ANSWERED: Duration = Duration::from_secs(8);
/// Recovery time of the whole system after that of the network, including a margin for a busy machine.
pub const RECOVERED: Duration = Duration::from_secs(15);

/// Sends a command, which is answered in time whatever its outcome. Returns whether it was done.
pub async fn rename(ada: &Actor, task: &str, title: &str) -> bool {
    let began = Instant::now();
    let answer = ada.patch(&format!("/v1/tasks/{task}"), json!({"title": title})).await;
    assert!(began.elapsed() < ANSWERED, "answered after {:?}", began.elapsed());
    is_accepted(&answer, 200)
}

/// Returns whether a command was done; otherwise it must have been unavailable.
fn is_accepted(answer: &Answer, status: u16) -> bool {
    if answer.status != status {
        let problem = answer.problem(503, "unavailable");
        assert!(problem["command_id"].is_string(), "{problem}");
        assert!(!answer.header("retry-after").is_empty());
    }
    answer.status == status
}

/// Waits until a command is accepted, and its event is projected, published and delivered.
pub async fn recovers(app: &App, ada: &Actor, task: &str, stream: &mut Sse) {
    let began = Instant::now();
    let title = format!("after {}", app.head().await);
    eventually("commands are accepted", || async { rename(ada, task, &title).await.then_some(()) }).await;
    let head = app.head().await;
    while stream.next_change().await.expect("the stream continues").data["position"] != head {}
    app.settle().await;
    assert!(began.elapsed() < RECOVERED, "recovered after {:?}", began.elapsed());
}

/// Creates Ada with a task, and opens a stream of its project from the current position.
pub async fn with_a_stream(app: &App) -> (Actor, String, Sse) {
    let (ada, project, task) = app.with_a_task().await;
    let stream = ada.stream(&format!("/v1/projects/{project}/events/stream?since=2")).await;
    (ada, task, stream)
}

async fn start_through(proxy: &NetworkProxy, environment: &TestEnvironment) -> App {
    let database_url = proxy.database_url(&environment.database_url);
    App::start_at(TestEnvironment { database_url, ..environment.clone() }).await
}

#[tokio::test]
async fn unresponsive_connections_to_postgresql_are_replaced() {
    let environment = TestEnvironment::new().await;
    let proxy = NetworkProxy::to_postgres(&environment.database_url).await;
    let app = start_through(&proxy, &environment).await;
    let (ada, task, mut stream) = with_a_stream(&app).await;
    for round in 0..2 {
        proxy.silence_open_connections();
        rename(&ada, &task, &format!("silent {round}")).await;
        recovers(&app, &ada, &task, &mut stream).await;
    }
    drop(stream);
    app.finish().await;
}

#[tokio::test]
async fn a_temporarily_unresponsive_network_to_postgresql_is_survived() {
    let environment = TestEnvironment::new().await;
    let proxy = NetworkProxy::to_postgres(&environment.database_url).await;
    let app = start_through(&proxy, &environment).await;
    let (ada, task, mut stream) = with_a_stream(&app).await;
    proxy.silence();
    for attempt in 0..2 {
        assert!(!rename(&ada, &task, &format!("silent {attempt}")).await);
    }
    let ready = app.anonymous().get("/health/ready").await;
    assert_eq!(ready.status, 503, "{}", ready.body);
    proxy.repair();
    recovers(&app, &ada, &task, &mut stream).await;
    // Opens all connections of the owner, which checks the rest.
    tokio::join!(app.head(), app.head());
    drop(stream);
    app.finish().await;
}

#[tokio::test]
async fn unresponsive_nats_is_bypassed_and_reconnected() {
    let environment = TestEnvironment::new().await;
    let proxy = NetworkProxy::to_nats(&environment.nats_url).await;
    let app = App::start_at(TestEnvironment { nats_url: proxy.nats_url(), ..environment.clone() }).await;
    let (ada, task, mut stream) = with_a_stream(&app).await;
    proxy.silence_open_connections();
    assert!(rename(&ada, &task, "commands are not affected").await);
    let head = app.head().await;
    assert_eq!(stream.next_change().await.unwrap().data["position"], head);
    let direct = crate::harness::nats(&environment.nats_url).await.unwrap();
    let began = Instant::now();
    eventually("it is published", || async { (app.published(&direct).await? == head).then_some(()) }).await;
    assert!(began.elapsed() < RECOVERED, "recovered after {:?}", began.elapsed());
    drop(stream);
    app.stop().await;
}

#[tokio::test]
async fn commands_are_refused_in_time_while_a_table_is_locked() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let create = async || {
        let answer = ada.post(&format!("/v1/projects/{project}/tasks"), json!({"title": "T"})).await;
        is_accepted(&answer, 201)
    };
    for table in ["events", "task_places", "commands", "log_head"] {
        let mut other = sqlx::PgConnection::connect(&app.database_url).await.unwrap();
        let mut tx = other.begin().await.unwrap();
        sqlx::query(&format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")).execute(&mut *tx).await.unwrap();
        let began = Instant::now();
        assert!(!create().await, "{table}");
        assert!(began.elapsed() < ANSWERED, "{table}: answered after {:?}", began.elapsed());
        tx.rollback().await.unwrap();
        eventually("commands are accepted", || async { create().await.then_some(()) }).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn a_frozen_projector_blocks_no_command_and_is_replaced() {
    let environment = TestEnvironment::new().await;
    let first = Process::start("projector", &environment.settings());
    first.ready().await;
    let app = App::start_at(environment.clone()).await;
    let (ada, _, task) = app.with_a_task().await;
    for round in 0..3 {
        // In the middle of any of its work.
        rename(&ada, &task, &format!("before {round}")).await;
        first.signal(Signal::SIGSTOP);
        let began = Instant::now();
        assert!(rename(&ada, &task, &format!("frozen {round}")).await);
        app.settle().await;
        assert!(began.elapsed() < RECOVERED, "is_accepted over after {:?}", began.elapsed());
        first.signal(Signal::SIGCONT);
        assert!(rename(&ada, &task, &format!("thawed {round}")).await);
        app.settle().await;
    }
    app.finish().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_keeps_no_transaction_open() {
    let app = App::start().await;
    let (ada, project, task) = app.with_a_task().await;
    let file = ada.request(reqwest::Method::POST, &format!("/v1/tasks/{task}/attachments?file_name=f"));
    let file = ada.send(file.body(vec![7; 32 << 20])).await.expect(201)["created_id"].as_str().unwrap().to_owned();
    for _ in 0..200 {
        let new = json!({"title": "T", "description": "x".repeat(60_000)});
        ada.post(&format!("/v1/projects/{project}/tasks"), new).await.expect(201);
    }
    app.settle().await;
    // More than the sockets buffer.
    let paths = [
        format!("/v1/tasks/{task}/attachments/{file}/content"),
        format!("/v1/projects/{project}/events?since=0&limit=1000"),
        format!("/v1/projects/{project}/tasks?limit=200"),
    ];
    let mut clients = Vec::new();
    for path in paths {
        let mut client = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
        let token = ada.token.as_deref().unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        while client.peek(&mut head).await.unwrap() < head.len() {}
        assert_eq!(&head, b"HTTP/1.1 200");
        clients.push(client);
    }
    // A transaction that waits for a client would be open for as long as the client reads nothing.
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        let held: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
               AND application_name = 'taskfold query-api' AND xact_start < clock_timestamp() - interval '500 ms'",
        )
        .fetch_one(&app.owner)
        .await
        .unwrap();
        assert_eq!(held, 0);
        // Time: the client reads nothing for longer than any transaction may be open.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(clients);
    app.finish().await;
}
