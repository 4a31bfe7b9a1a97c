//! Failures of PostgreSQL: a full disk, no connections, read-only, deadlocks, missing files. Each is answered with 503,
//! health reports the cause, and the system recovers without intervention.

use rand::distr::{Alphanumeric, SampleString as _};
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use taskfold_embedded::{Durability, Options, Stack};

use crate::harness::{Actor, Answer, App, Disk, TestEnvironment, data_dir, eventually, servers};
use crate::health::reports;

/// A PostgreSQL for one test, whose files may be tampered with: checkpoints of the shared one would fail on them.
async fn server(name: &str) -> Stack {
    let options = Options { data_dir: data_dir(name), postgres: true, nats: None, durability: Durability::TestsOnly };
    Stack::start(options).await.unwrap()
}

async fn run(database_url: &str, sql: &str) {
    let mut db = PgConnection::connect(database_url).await.unwrap();
    db.execute(sql).await.unwrap();
    db.close().await.unwrap();
}

/// Ends all other sessions of the database, as an operator does to make a setting effective.
async fn end_sessions(app: &App) {
    let mut db = PgConnection::connect(&app.database_url).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    db.execute(end).await.unwrap();
    db.close().await.unwrap();
}

/// Returns whether a request was served; otherwise it must be a 503 with `Retry-After`.
fn served(answer: &Answer) -> bool {
    if answer.status.is_success() {
        return true;
    }
    let problem = answer.problem(503, "unavailable");
    assert!(!answer.header("retry-after").is_empty(), "{problem}");
    false
}

async fn rename(ada: &Actor, task: &str) -> bool {
    let title = Alphanumeric.sample_string(&mut rand::rng(), 20);
    served(&ada.patch(&format!("/v1/tasks/{task}"), json!({"title": title})).await)
}

async fn refused(ada: &Actor, task: &str) {
    eventually("commands are refused", || async { (!rename(ada, task).await).then_some(()) }).await;
}

/// Waits until commands are accepted, and their events are projected and published.
async fn recovers(app: &App, ada: &Actor, task: &str) {
    eventually("commands are accepted", || async { rename(ada, task).await.then_some(()) }).await;
    let ready = reports(&app.url, "log", "ok", "").await;
    assert_eq!(ready["commands"], "ok", "{ready}");
    // With any session that a request may get.
    for n in 0..20 {
        assert!(rename(ada, task).await);
        let account =
            json!({"username": format!("u{n}-{}", app.head().await), "display_name": "U", "password": "correct horse"});
        assert!(served(&app.anonymous().post("/v1/accounts", account).await));
    }
    app.settle().await;
}

#[tokio::test]
async fn a_full_disk_is_reported_and_commands_resume_when_space_is_free() {
    let Some(disk) = Disk::needed(&data_dir("full"), 96) else { return };
    let postgres = server("full-postgres").await;
    disk.belongs_with(&postgres.data_dir().join("postgres"));
    let admin = postgres.admin_url("postgres").unwrap();
    run(&admin, &format!("CREATE TABLESPACE tiny LOCATION '{}'", disk.path().display())).await;
    run(&admin, "CREATE DATABASE tiny TABLESPACE tiny").await;
    let database_url = postgres.admin_url("tiny").unwrap();
    let app = App::start_at(TestEnvironment { database_url, ..TestEnvironment::new().await }).await;
    let (ada, _, task) = app.with_a_task().await;

    for round in 0..2 {
        disk.fill();
        eventually("a comment finds the disk full", || async {
            let text = Alphanumeric.sample_string(&mut rand::rng(), 16_000);
            let answer = ada.post(&format!("/v1/tasks/{task}/comments"), json!({"text": text})).await;
            (!served(&answer)).then_some(())
        })
        .await;
        let ready = reports(&app.url, "log", "down", "the disk of PostgreSQL is full").await;
        assert_eq!((&ready["commands"], ready["reads"] != "down"), (&json!("down"), true), "{ready}");
        assert_eq!(ada.get(&format!("/v1/tasks/{task}")).await.status, 200, "round {round}");
        disk.clear();
        recovers(&app, &ada, &task).await;
    }
    app.finish().await;
    postgres.stop().await;
}

#[tokio::test]
async fn a_read_only_database_is_reported_and_can_be_read() {
    let app = App::start().await;
    let (ada, _, task) = app.with_a_task().await;
    let mut db = PgConnection::connect(&app.database_url).await.unwrap();
    let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut db).await.unwrap();
    db.close().await.unwrap();
    run(&app.database_url, &format!("ALTER DATABASE {database} SET default_transaction_read_only = on")).await;
    end_sessions(&app).await;
    refused(&ada, &task).await;
    let ready = reports(&app.url, "log", "down", "read-only").await;
    assert_eq!(ready["commands"], "down", "{ready}");
    let account = json!({"username": "late", "display_name": "L", "password": "correct horse battery"});
    assert!(!served(&app.anonymous().post("/v1/accounts", account).await));
    eventually("reads are served", || async {
        (ada.get(&format!("/v1/tasks/{task}")).await.status == 200).then_some(())
    })
    .await;
    // Sessions that began meanwhile keep the setting, and nobody ends them.
    let reset = format!("ALTER DATABASE {database} RESET default_transaction_read_only");
    run(&servers().await.admin_url(), &reset).await;
    recovers(&app, &ada, &task).await;
    app.finish().await;
}

#[tokio::test]
async fn commands_wait_for_a_database_without_free_connections() {
    let app = App::start().await;
    let (ada, _, task) = app.with_a_task().await;
    let mut db = PgConnection::connect(&app.database_url).await.unwrap();
    let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut db).await.unwrap();
    db.execute(format!("ALTER DATABASE {database} CONNECTION LIMIT 0").as_str()).await.unwrap();
    end_sessions(&app).await;
    refused(&ada, &task).await;
    assert!(!served(&ada.get(&format!("/v1/tasks/{task}")).await));
    eventually("readiness reports it", || async {
        let ready = app.anonymous().get("/health/ready").await;
        (ready.status == 503).then_some(())
    })
    .await;
    run(&app.database_url, &format!("ALTER DATABASE {database} CONNECTION LIMIT -1")).await;
    recovers(&app, &ada, &task).await;
    app.finish().await;
}

#[tokio::test]
async fn a_deadlocked_append_is_retried_without_an_error() {
    let app = App::start().await;
    let (ada, project, task) = app.with_a_task().await;
    let columns = ada.get(&format!("/v1/projects/{project}")).await.expect(200)["columns"].clone();
    let mut other = PgConnection::connect(&app.database_url).await.unwrap();
    let deadlocks = async || -> i64 {
        sqlx::query_scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            .fetch_one(&app.owner)
            .await
            .unwrap()
    };
    let before = deadlocks().await;
    // The append has the log and waits for the task, the other one has the task and waits for the log.
    let mut tx = other.begin().await.unwrap();
    tx.execute("SET LOCAL deadlock_timeout = '20s'").await.unwrap();
    tx.execute("SELECT FROM task_places FOR UPDATE").await.unwrap();
    let body = json!({"column_id": columns[1]["id"]});
    let moving = tokio::spawn({
        let (ada, path) = (ada.clone(), format!("/v1/tasks/{task}/move"));
        async move { ada.post(&path, body).await }
    });
    eventually("the append waits", || async {
        let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')";
        sqlx::query_scalar::<_, bool>(waiting).fetch_one(&app.owner).await.unwrap().then_some(())
    })
    .await;
    tx.execute("SELECT FROM log_head FOR UPDATE").await.unwrap();
    tx.rollback().await.unwrap();
    moving.await.unwrap().expect(200);
    eventually("PostgreSQL has counted it", || async { (deadlocks().await > before).then_some(()) }).await;
    app.finish().await;
}

/// Runs `meanwhile` with the file of a table moved away.
async fn without_its_file(app: &App, postgres: &Stack, table: &str, meanwhile: impl AsyncFnOnce()) {
    let mut db = PgConnection::connect(&app.database_url).await.unwrap();
    let path = sqlx::query_scalar::<_, String>("SELECT pg_relation_filepath($1::regclass)").bind(table);
    let file = postgres.data_dir().join("postgres").join(path.fetch_one(&mut db).await.unwrap());
    // All pages are written, so that the file is missed only by reads.
    db.execute("CHECKPOINT").await.unwrap();
    db.close().await.unwrap();
    let aside = file.with_extension("aside");
    std::fs::rename(&file, &aside).unwrap();
    end_sessions(app).await;
    meanwhile().await;
    std::fs::rename(&aside, &file).unwrap();
}

#[tokio::test]
async fn a_missing_database_file_stops_only_what_needs_it() {
    let postgres = server("files").await;
    let database_url = postgres.admin_url("taskfold").unwrap();
    let app = App::start_at(TestEnvironment { database_url, ..TestEnvironment::new().await }).await;
    let (ada, project, task) = app.with_a_task().await;
    without_its_file(&app, &postgres, "commands", async || {
        refused(&ada, &task).await;
        let ready = reports(&app.url, "log", "down", "PostgreSQL cannot use its files (58P01)").await;
        assert_eq!(ready["commands"], "down", "{ready}");
    })
    .await;
    recovers(&app, &ada, &task).await;
    without_its_file(&app, &postgres, "tasks", async || {
        eventually("commands are accepted", || async { rename(&ada, &task).await.then_some(()) }).await;
        eventually("reads are refused", || async {
            let list = ada.get(&format!("/v1/projects/{project}/tasks")).await;
            (!served(&list)).then_some(())
        })
        .await;
        let ready = reports(&app.url, "projection", "degraded", "PostgreSQL cannot use its files (58P01)").await;
        assert_eq!((&ready["commands"], &ready["reads"]), (&json!("ok"), &json!("degraded")), "{ready}");
    })
    .await;
    recovers(&app, &ada, &task).await;
    app.finish().await;
    postgres.stop().await;
}
