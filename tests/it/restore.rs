//! A log that is restored to an earlier state under a running system, or with a stream that is ahead of it.

use std::path::Path;
use std::process::Stdio;

use async_nats::jetstream::consumer;
use futures::TryStreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};
use taskfold_projector::stream;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::ChildStdout;

use crate::harness::{Actor, App, Backup, PATIENCE, Sse, TestEnvironment, eventually, servers};

async fn backup_of(environment: &TestEnvironment) -> Backup {
    Backup::of(&environment.database_url, &servers().await.admin_url()).await
}

async fn rename(ada: &Actor, task: &str, title: &str) -> (u16, Value) {
    let answer = ada.patch(&format!("/v1/tasks/{task}"), json!({"title": title})).await;
    (answer.status.as_u16(), answer.body)
}

/// Runs the operator's `adopt`.
async fn adopt(environment: &TestEnvironment) -> String {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_taskfold"))
        .args(["adopt", "--log", "error"])
        .args(environment.settings())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until the system responds after its connections were cut.
async fn answers(ada: &Actor, path: &str) -> Value {
    eventually("the system answers", || async {
        let answer = ada.get(path).await;
        (answer.status == 200).then_some(answer.body)
    })
    .await
}

#[tokio::test]
async fn a_log_restored_under_a_running_system_accepts_no_commands_until_adopted() {
    let environment = TestEnvironment::new().await;
    let app = App::start_at(environment.clone()).await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let (first, other) = (ada.task(&project, "first").await, ada.task(&project, "other").await);
    app.settle().await;
    let backup = backup_of(&environment).await;
    answers(&ada, "/v1/me").await;
    assert_eq!(rename(&ada, &first, "lost").await.0, 200);
    let lost = ada.task(&project, "lost").await;
    app.settle().await;
    let head = app.head().await;
    backup.restore().await;

    // Nothing is appended, whatever the command is about: the state that it would be decided on is void.
    eventually("the log is suspended", || async {
        let (status, body) = rename(&ada, &other, "new").await;
        assert_eq!((status, &body["code"]), (503, &json!("unavailable")), "{body}");
        taskfold_event_log::suspended(&app.owner).await.ok()?.map(|_| ())
    })
    .await;
    assert_eq!(rename(&ada, &first, "on top of what was lost").await.0, 503);
    assert_eq!(app.head().await, head - 2);

    let output = adopt(&environment).await;
    assert!(output.contains(&format!("the first {}", head - 2)), "{output}");
    let (_, renamed) = eventually("commands are accepted", || async {
        let (status, body) = rename(&ada, &first, "again").await;
        (status == 200).then_some((status, body))
    })
    .await;
    assert_eq!(renamed["events"][0]["changes"]["title"], json!({"from": "first", "to": "again"}));
    assert_eq!(renamed["position"], head - 1);
    assert_eq!(rename(&ada, &lost, "x").await.0, 404);
    app.finish().await;
}

#[tokio::test]
async fn cursors_and_tags_of_the_log_before_a_restore_are_refused() {
    let environment = TestEnvironment::new().await;
    let app = App::start_at(environment.clone()).await;
    let (ada, project, task) = app.with_a_task().await;
    let log = ada.get("/v1/me").await.header("taskfold-log").to_owned();
    let tag = ada.get(&format!("/v1/tasks/{task}")).await.header("etag").to_owned();
    let backup = backup_of(&environment).await;
    answers(&ada, "/v1/me").await;
    let fork = app.head().await;
    for n in 0..3 {
        assert_eq!(rename(&ada, &task, &format!("lost {n}")).await.0, 200);
    }
    app.settle().await;
    let path = format!("/v1/projects/{project}/events/stream");
    let mut open = ada.stream(&format!("{path}?since=0")).await;
    let hello = open.next().await.unwrap();
    assert_eq!(hello.data["log"], json!(log));
    assert_eq!(open.changes_until(fork + 3).await.last(), Some(&(fork + 3)));
    let before = consumers(&app).await;
    backup.restore().await;

    // The open stream sent events that are void now.
    loop {
        let frame = open.next().await.expect("a reset comes before the end");
        if frame.event == "reset" {
            break;
        }
    }
    let mut fresh = ada.stream(&format!("{path}?since={fork}")).await;
    until_redelivered(&app, &before).await;
    adopt(&environment).await;
    let (_, body) = eventually("commands are accepted", || async {
        let (status, body) = rename(&ada, &task, "anew").await;
        (status == 200).then_some((status, body))
    })
    .await;
    assert_eq!(body["position"], fork + 1);
    // And not the old stream's event at that position, which was available for publication all the time.
    assert_eq!(fresh.next_change().await.unwrap().data["changes"]["title"]["to"], "anew");
    drop(fresh);
    for n in 0..3 {
        assert_eq!(rename(&ada, &task, &format!("anew {n}")).await.0, 200);
    }
    app.settle().await;

    // Cursors before the fork continue, those after it do not, although the log has such positions again.
    let resumed = |cursor: String| Sse::open(ada.request(Method::GET, &path).header("last-event-id", cursor));
    let mut stream = resumed(format!("{}", fork - 1)).await;
    assert_eq!(stream.changes_until(fork + 4).await, (fork..=fork + 4).collect::<Vec<_>>());
    let mut stream = resumed(format!("{}", fork + 1)).await;
    assert_eq!(stream.next().await.unwrap().event, "reset");
    let mut stream = resumed(format!("{}-1", fork + 1)).await;
    assert_eq!(stream.changes_until(fork + 4).await, [fork + 2, fork + 3, fork + 4]);
    let since = async |since: String| ada.get(&format!("/v1/projects/{project}/events?since={since}")).await;
    since(format!("{}-0", fork + 1)).await.problem(410, "log-changed");
    since(format!("{}&log={log}", fork - 1)).await.problem(410, "log-changed");
    since(format!("{}-0", fork - 1)).await.expect(200);
    since(format!("{}-1", fork + 1)).await.expect(200);
    // A position without a log id refers to the current log, as in every read.
    assert_eq!(since(format!("{}", fork + 1)).await.expect(200)["events"].as_array().unwrap().len(), 3);

    // Requests that name their log are checked.
    let now = ada.get("/v1/me").await.header("taskfold-log").to_owned();
    assert_ne!(now, log);
    let refused = ada.get(&format!("/v1/me?log={log}")).await;
    assert_eq!(refused.problem(410, "log-changed")["fork_position"], fork);
    ada.get(&format!("/v1/me?log={now}")).await.expect(200);
    let other = ada.request(Method::PATCH, &format!("/v1/tasks/{task}")).header("taskfold-log", &log);
    ada.send(other.json(&json!({"title": "x"}))).await.problem(412, "log-changed");
    let mut stream = ada.stream(&format!("{path}?since={}&log={log}", fork - 1)).await;
    assert_eq!(stream.next().await.unwrap().event, "reset");
    let based = |tag: String| ada.request(Method::PATCH, &format!("/v1/tasks/{task}")).header("if-match", tag);
    ada.send(based(tag).json(&json!({"title": "x"}))).await.problem(412, "log-changed");
    let tag = ada.get(&format!("/v1/tasks/{task}")).await.header("etag").to_owned();
    let edited = ada.send(based(tag).json(&json!({"title": "x"}))).await;
    let tag = edited.header("etag").to_owned();
    edited.expect(200);
    ada.send(based(tag).json(&json!({"title": "y"}))).await.expect(200);
    app.finish().await;
}

/// The consumers of the stream.
async fn consumers(app: &App) -> Vec<consumer::Info> {
    let nats = app.nats().await;
    let stream = stream::find(&stream::context(&nats), &app.stream).await.unwrap().unwrap();
    stream.consumers().try_collect().await.unwrap()
}

/// Waits until the live feed has a new consumer, to which everything on the stream was sent.
async fn until_redelivered(app: &App, before: &[consumer::Info]) {
    eventually("all is published again", || async {
        let is_new = |one: &consumer::Info| before.iter().all(|other| other.name != one.name);
        consumers(app).await.iter().any(|one| is_new(one) && one.num_pending == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stream_ahead_of_the_log_suspends_it_at_start() {
    let environment = TestEnvironment::new().await;
    let app = App::start_at(environment.clone()).await;
    let (ada, _, task) = app.with_a_task().await;
    let backup = backup_of(&environment).await;
    answers(&ada, "/v1/me").await;
    for n in 0..4 {
        rename(&ada, &task, &format!("lost {n}")).await;
    }
    app.settle().await;
    let head = app.head().await;
    app.stop().await;
    backup.restore().await;

    let app = App::start_at(environment.clone()).await;
    let ada = Actor { url: app.url.clone(), ..ada };
    eventually("the log is suspended", || async {
        taskfold_event_log::suspended(&app.owner).await.unwrap().filter(|why| why.contains("the stream has"))
    })
    .await;
    assert_eq!(rename(&ada, &task, "overtaking").await.0, 503);
    let report = app.verify().await;
    assert!(report.faults.iter().any(|fault| fault.contains("beyond the end of the log")), "{report}");
    adopt(&environment).await;
    eventually("commands are accepted", || async { (rename(&ada, &task, "after").await.0 == 200).then_some(()) }).await;
    assert_eq!(app.head().await, head - 3);
    app.finish().await;
}

#[tokio::test]
async fn two_systems_that_share_a_stream_do_not_mix_their_logs() {
    let (one, other) = (TestEnvironment::new().await, TestEnvironment::new().await);
    let first = App::start_at(one.clone()).await;
    let ada = first.person("ada").await;
    let (project, _) = ada.project("P").await;
    ada.task(&project, "T").await;
    first.settle().await;
    // The harness copies databases, including the ids of their logs.
    let mut db = PgConnection::connect(&other.database_url).await.unwrap();
    db.execute("UPDATE log_identities SET log_id = gen_random_uuid()").await.unwrap();
    let second = App::start_at(TestEnvironment { stream: one.stream.clone(), ..other }).await;
    let bea = second.person("bea").await;
    for n in 0..5 {
        bea.project(&format!("{n}")).await;
    }
    eventually("the second reports it", || async {
        let report = second.verify().await;
        report.faults.iter().any(|fault| fault.contains("belongs to another log")).then_some(())
    })
    .await;
    // Its own commands continue; the stream remains that of the first system.
    assert_eq!(taskfold_event_log::suspended(&second.owner).await.unwrap(), None);
    second.stop().await;
    first.finish().await;
}

/// The lines of the example, up to one with these words.
async fn lines_until(lines: &mut Lines<BufReader<ChildStdout>>, words: &str) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.last().is_none_or(|line: &String| !line.contains(words)) {
        let next = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        seen.push(next.unwrap_or_else(|_| panic!("no {words} in {seen:?}")).unwrap().expect("it continues"));
    }
    seen
}

#[tokio::test]
async fn a_downstream_service_reverts_lost_events_and_continues() {
    let environment = TestEnvironment::new().await;
    let app = App::start_at(environment.clone()).await;
    let (ada, project, task) = app.with_a_task().await;
    let backup = backup_of(&environment).await;
    answers(&ada, "/v1/me").await;
    let fork = app.head().await;

    let example = Path::new(env!("CARGO_BIN_EXE_taskfold")).with_file_name("examples").join("follow");
    let mut follower = tokio::process::Command::new(example)
        .args([&ada.url, ada.token.as_ref().unwrap(), &project, &environment.nats_url, &environment.stream])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("`cargo test` builds the examples; without it, `cargo build --examples` does");
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    lines_until(&mut lines, "following").await;
    for n in 0..2 {
        assert_eq!(rename(&ada, &task, &format!("lost {n}")).await.0, 200);
    }
    lines_until(&mut lines, "lost 1").await;
    backup.restore().await;
    adopt(&environment).await;
    let seen = lines_until(&mut lines, "following").await;
    let back: Vec<&String> = seen.iter().filter(|line| line.starts_with("taking back")).collect();
    let expected = [fork + 2, fork + 1].map(|position| format!("taking back {position} \"task.renamed\""));
    assert_eq!(back, expected.iter().collect::<Vec<_>>(), "{seen:?}");
    eventually("commands are accepted", || async { (rename(&ada, &task, "anew").await.0 == 200).then_some(()) }).await;
    lines_until(&mut lines, "anew").await;
    app.finish().await;
}

#[tokio::test]
async fn a_deleted_stream_is_recreated() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    ada.project("P").await;
    app.settle().await;
    stream::context(&app.nats().await).delete_stream(&app.stream).await.unwrap();
    app.finish().await;
}

#[tokio::test]
async fn messages_name_their_log() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    ada.project("P").await;
    app.settle().await;
    let log = taskfold_event_log::identity(&app.owner).await.unwrap();
    let found = stream::find(&stream::context(&app.nats().await), &app.stream).await.unwrap().unwrap();
    let message = found.direct_get(1).await.unwrap();
    assert_eq!(message.headers.get("ce-taskfoldlog").unwrap().as_str(), log.id.to_string());
    let answer = ada.send(ada.request(Method::GET, "/v1/me")).await;
    assert_eq!(answer.header("taskfold-log"), log.id.to_string());
    app.finish().await;
}
