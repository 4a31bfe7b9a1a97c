//! The commands of docs/operating.md, verbatim, after PostgreSQL was restored from a dump.

use std::path::Path;

use async_nats::jetstream::Context;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use taskfold_event_log::{LogIdentity, PublicationKey};
use taskfold_projector::stream;
use tokio::process::Command;

use crate::harness::{App, TestEnvironment, eventually, servers};

/// The indented block after `heading`, in the section about backups.
fn commands(heading: &str) -> String {
    let page = include_str!("../../docs/operating.md");
    let (_, section) = page.split_once("## Backups and restores").unwrap();
    let (_, behind) = section.split_once(heading).unwrap();
    let lines = behind.lines().skip_while(|line| !line.starts_with("    ")).take_while(|line| line.starts_with("    "));
    lines.map(|line| format!("{}\n", line.trim())).collect()
}

/// Runs a script as an operator's shell does, with `taskfold` and the tools of PostgreSQL on the path.
async fn shell(environment: &TestEnvironment, script: &str) {
    let mut db = PgConnection::connect(&servers().await.admin_url()).await.unwrap();
    let tools: String =
        sqlx::query_scalar("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetch_one(&mut db).await.unwrap();
    db.close().await.unwrap();
    let taskfold = Path::new(env!("CARGO_BIN_EXE_taskfold")).parent().unwrap();
    let path = format!("{}:{tools}:{}", taskfold.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-e", "-c", script])
        .current_dir(&environment.data_dir)
        .env("PATH", path)
        .env("DATABASE_URL", &environment.database_url)
        .env("NATS_URL", &environment.nats_url)
        .env("TASKFOLD_STREAM", &environment.stream)
        .output()
        .await
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{script}\n{}\n{}", text(&output.stdout), text(&output.stderr));
}

/// State of the NATS stream when PostgreSQL was restored.
#[derive(Clone, Copy, Debug)]
enum Stream {
    /// More events than the log.
    Longer,
    Gone,
    /// Fewer events than the log: it was restored too.
    Shorter,
}

/// Keeps only the first messages.
async fn shorten(context: &Context, name: &str, log: &LogIdentity, key: &PublicationKey, keep: u64) {
    let old = stream::find(context, name).await.unwrap().unwrap();
    let mut kept = Vec::new();
    for sequence in 1..=keep {
        kept.push(old.direct_get(sequence).await.unwrap());
    }
    context.delete_stream(name).await.unwrap();
    stream::ensure(context, name, log, key, 1).await.unwrap();
    for message in kept {
        let sent = context.publish_with_headers(message.subject, message.headers, message.payload).await.unwrap();
        sent.await.unwrap();
    }
}

async fn a_restore_works_as_documented(running: bool, left: Stream) {
    let environment = TestEnvironment::new().await;
    std::fs::create_dir_all(&environment.data_dir).unwrap();
    let app = App::start_at(environment.clone()).await;
    let (ada, _, task) = app.with_a_task().await;
    shell(&environment, &commands("A backup is")).await;
    let fork = app.head().await;
    for n in 0..3 {
        ada.patch(&format!("/v1/tasks/{task}"), json!({"title": format!("lost {n}")})).await.expect(200);
    }
    app.settle().await;
    let log = taskfold_event_log::identity(&app.owner).await.unwrap();
    let key = taskfold_event_log::publication_key(&app.owner).await.unwrap();
    let (url, mut app) = (app.url.clone(), Some(app));
    if !running {
        app.take().unwrap().stop().await;
        let context = stream::context(&crate::harness::nats(&environment.nats_url).await.unwrap());
        match left {
            Stream::Longer => {}
            Stream::Gone => context.delete_stream(&environment.stream).await.map(drop).unwrap(),
            Stream::Shorter => shorten(&context, &environment.stream, &log, &key, fork as u64 - 1).await,
        }
    }

    shell(&environment, &commands("**Restoring it**")).await;

    let app = match app {
        Some(app) => app,
        None => App::start_at(environment.clone()).await,
    };
    let ada = crate::harness::Actor { url: if running { url } else { app.url.clone() }, ..ada };
    eventually("commands are accepted", || async {
        let answer = ada.patch(&format!("/v1/tasks/{task}"), json!({"title": "anew"})).await;
        (answer.status == 200).then_some(())
    })
    .await;
    let now = taskfold_event_log::identity(&app.owner).await.unwrap();
    assert_eq!((now.former, now.forks), (vec![log.id], vec![fork]));
    app.finish().await;
}

#[tokio::test]
async fn a_restore_under_a_running_system_works_as_documented() {
    a_restore_works_as_documented(true, Stream::Longer).await;
}

#[tokio::test]
async fn a_restore_with_a_stream_ahead_works_as_documented() {
    a_restore_works_as_documented(false, Stream::Longer).await;
}

#[tokio::test]
async fn a_restore_without_a_stream_works_as_documented() {
    a_restore_works_as_documented(false, Stream::Gone).await;
}

#[tokio::test]
async fn a_restore_with_a_stream_behind_works_as_documented() {
    a_restore_works_as_documented(false, Stream::Shorter).await;
}
