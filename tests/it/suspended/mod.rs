//! Processes that are suspended in the middle of their work, ours and those of PostgreSQL, block nobody for long.

/// Suspended processes of PostgreSQL.
mod postgres;

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use taskfold::databases::{DatabaseRole, RoleUrls, role_pool};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::harness::{App, Process, TestEnvironment, eventually};
use crate::unresponsive_servers::{RECOVERED, rename};

/// Time for which a projector holds its lease, plus a margin for a busy machine.
const LEASE: Duration = Duration::from_secs(3 + 3);

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Starts a command of the program that works on the database.
fn taskfold(app: &App, arguments: &[&str]) -> (Child, i32) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_taskfold"));
    program.args(arguments).args(["--database-url", &app.database_url, "--log", "error"]);
    let child = program.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    (child, pid)
}

/// Checks that the process exits successfully.
async fn exits_successfully(child: &mut Child) {
    let ended = eventually("it ends", || std::future::ready(child.try_wait().unwrap())).await;
    assert!(ended.success(), "{ended}");
}

/// Suspends a process while one of its sessions meets `condition`, an expression on `pg_stat_activity`.
async fn suspend_while(app: &App, pid: i32, condition: &str) {
    let sessions = format!(
        "SELECT count(*) FROM pg_stat_activity a WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
    );
    let holds = async || sqlx::query_scalar::<_, i64>(&sessions).fetch_one(&app.owner).await.unwrap() > 0;
    eventually(condition, || async {
        if holds().await {
            signal(pid, Signal::SIGSTOP);
            if holds().await {
                return Some(());
            }
            signal(pid, Signal::SIGCONT);
        }
        None
    })
    .await;
}

/// Condition of a session that waits for a table.
fn waits_for(table: &str, application: &str) -> String {
    format!(
        "application_name LIKE '{application}%' AND EXISTS (SELECT FROM pg_locks l \
             WHERE l.pid = a.pid AND relation = '{table}'::regclass AND NOT granted)"
    )
}

/// Waits until all appended events are projected.
async fn projected(app: &App) {
    let head = app.head().await;
    eventually("all is projected", || async {
        (taskfold_event_log::projected_position(&app.owner).await.unwrap() >= head).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_suspended_rebuild_blocks_nothing_and_completes_when_resumed() {
    let app = App::start().await;
    let (ada, _, task) = app.with_a_task().await;
    // A reader blocks the switch, which holds back projections.
    let mut reader = PgConnection::connect(&app.database_url).await.unwrap();
    let mut reading = reader.begin().await.unwrap();
    for sql in ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT FROM log_head"] {
        sqlx::query(sql).execute(&mut *reading).await.unwrap();
    }
    let (mut rebuild, pid) = taskfold(&app, &["rebuild"]);
    let switching = "application_name = 'taskfold maintenance' AND state = 'idle in transaction' \
                     AND query LIKE 'SELECT pg_backend_pid()%'";
    suspend_while(&app, pid, switching).await;
    let began = Instant::now();
    assert!(rename(&ada, &task, "commands are not affected").await);
    projected(&app).await;
    assert!(began.elapsed() < LEASE, "projected after {:?}", began.elapsed());
    reading.rollback().await.unwrap();
    signal(pid, Signal::SIGCONT);
    exits_successfully(&mut rebuild).await;
    app.finish().await;
}

#[tokio::test]
async fn a_suspended_rebuild_of_the_side_tables_blocks_no_command() {
    let app = App::start().await;
    let (ada, _, task) = app.with_a_task().await;
    sqlx::query("INSERT INTO task_links (kind, task_id, target_id) VALUES (1, $1::uuid, gen_random_uuid())")
        .bind(&task)
        .execute(&app.owner)
        .await
        .unwrap();
    // It waits for this table while it holds the lock of the log.
    let mut other = PgConnection::connect(&app.database_url).await.unwrap();
    let mut locking = other.begin().await.unwrap();
    sqlx::query("LOCK TABLE task_places IN SHARE MODE").execute(&mut *locking).await.unwrap();
    let (mut rebuild, pid) = taskfold(&app, &["rebuild", "--write-side"]);
    suspend_while(&app, pid, &waits_for("task_places", "taskfold")).await;
    locking.rollback().await.unwrap();
    let began = Instant::now();
    eventually("commands are accepted", || async { rename(&ada, &task, "again").await.then_some(()) }).await;
    assert!(began.elapsed() < LEASE, "taken after {:?}", began.elapsed());
    signal(pid, Signal::SIGCONT);
    // Its transaction was ended: it reports that, and can be started again.
    assert!(!rebuild.wait().await.unwrap().success());
    let (mut again, _) = taskfold(&app, &["rebuild", "--write-side"]);
    exits_successfully(&mut again).await;
    app.finish().await;
}

/// PostgreSQL applies no timeout of its own while a client does not read its result.
#[tokio::test]
async fn a_suspended_projector_loses_its_sessions_with_the_lease() {
    let environment = TestEnvironment::new().await;
    let owner = taskfold::connections::owner_pool(&environment.database_url, 2).unwrap();
    // The logins of this database, which all projectors share.
    taskfold::migrate::run(&owner, &RoleUrls::default()).await.unwrap();
    let first = Process::start("projector", &environment.settings());
    eventually("it leads", || async {
        let leads = "SELECT EXISTS (SELECT FROM projector_lease)";
        sqlx::query_scalar::<_, bool>(leads).fetch_one(&owner).await.unwrap().then_some(())
    })
    .await;
    let app = App::start_at(environment.clone()).await;
    let (ada, project, task) = app.with_a_task().await;
    let mut checkpoint = owner.begin().await.unwrap();
    sqlx::query("LOCK TABLE projection_checkpoint IN EXCLUSIVE MODE").execute(&mut *checkpoint).await.unwrap();
    let new = json!({"title": "T", "description": "x".repeat(60_000)});
    for _ in 0..40 {
        ada.post(&format!("/v1/projects/{project}/tasks"), new.clone()).await.expect(201);
    }
    let mut events = owner.begin().await.unwrap();
    sqlx::query("LOCK TABLE events IN ACCESS EXCLUSIVE MODE").execute(&mut *events).await.unwrap();
    checkpoint.rollback().await.unwrap();
    suspend_while(&app, first.pid(), &waits_for("events", "taskfold projector")).await;
    events.rollback().await.unwrap();
    let began = Instant::now();
    eventually("its session waits for the client to read", || async {
        let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
                     AND application_name LIKE 'taskfold projector%' AND wait_event = 'ClientWrite')";
        sqlx::query_scalar::<_, bool>(waits).fetch_one(&app.owner).await.unwrap().then_some(())
    })
    .await;
    app.settle().await;
    assert!(began.elapsed() < RECOVERED, "taken over after {:?}", began.elapsed());
    first.signal(Signal::SIGCONT);
    assert!(rename(&ada, &task, "thawed").await);
    app.finish().await;
}

/// Like one of an earlier release, whose sessions had no limit.
#[tokio::test]
async fn an_idle_session_that_holds_the_checkpoint_is_terminated() {
    let app = App::start().await;
    let (ada, _, task) = app.with_a_task().await;
    let pool = role_pool(&app.database_url, DatabaseRole::Maintenance, 1).await.unwrap();
    let mut session = pool.acquire().await.unwrap().detach();
    for sql in ["SET idle_in_transaction_session_timeout = 0", "BEGIN", "SELECT FROM projection_checkpoint FOR UPDATE"]
    {
        sqlx::query(sql).execute(&mut session).await.unwrap();
    }
    let began = Instant::now();
    assert!(rename(&ada, &task, "commands are not affected").await);
    projected(&app).await;
    assert!(began.elapsed() < RECOVERED, "projected after {:?}", began.elapsed());
    assert!(session.ping().await.is_err(), "its session is still open");
    app.finish().await;
}
