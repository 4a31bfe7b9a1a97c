//! Suspended sessions and a suspended server of PostgreSQL.

use nix::sys::signal::Signal;
use taskfold_embedded::{Durability, Options, Stack};

use super::signal;
use crate::harness::{Actor, App, TestEnvironment, data_dir, eventually};
use crate::unresponsive_servers::{ANSWERED, recovers, rename, with_a_stream};

/// A PostgreSQL that no other test uses.
struct Own {
    stack: Stack,
    environment: TestEnvironment,
}

impl Own {
    async fn start(name: &str) -> Self {
        let options =
            Options { data_dir: data_dir(name), postgres: true, nats: None, durability: Durability::TestsOnly };
        let stack = Stack::start(options).await.unwrap();
        let database_url = stack.database_url().unwrap();
        let shared = TestEnvironment::new().await;
        Self { stack, environment: TestEnvironment { database_url, ..shared } }
    }

    fn postmaster(&self) -> i32 {
        let server = self.stack.servers().into_iter().find(|server| server.name == "postgres").unwrap();
        i32::try_from(server.pid.unwrap()).unwrap()
    }
}

/// Processes that are suspended until this is dropped.
struct Suspended(Vec<i32>);

impl Suspended {
    fn new(pids: Vec<i32>) -> Self {
        for &pid in &pids {
            signal(pid, Signal::SIGSTOP);
        }
        Self(pids)
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        for &pid in &self.0 {
            // A process that was ended meanwhile no longer exists.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGCONT);
        }
    }
}

async fn backends(app: &App, condition: &str) -> Vec<i32> {
    let sql = format!("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {condition}");
    sqlx::query_scalar(&sql).fetch_all(&app.owner).await.unwrap()
}

/// Suspends all sessions of a role, none of them in the middle of a transaction, whose locks could not be released.
async fn suspend_sessions(app: &App, part: &str) -> Suspended {
    let of_part = format!("application_name LIKE '{part}%'");
    eventually(&format!("all of {part} are idle"), || async {
        let suspended = Suspended::new(backends(app, &of_part).await);
        let busy = backends(app, &format!("{of_part} AND state <> 'idle'")).await;
        (!suspended.0.is_empty() && busy.is_empty()).then_some(suspended)
    })
    .await
}

/// A read, which is answered in time whatever its outcome.
async fn read(ada: &Actor, task: &str) {
    let began = tokio::time::Instant::now();
    let answer = ada.get(&format!("/v1/tasks/{task}")).await;
    assert!(began.elapsed() < ANSWERED, "answered after {:?}", began.elapsed());
    if answer.status != 200 {
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(!answer.header("retry-after").is_empty());
    }
}

#[tokio::test]
async fn suspended_sessions_are_replaced() {
    let own = Own::start("sessions").await;
    let app = App::start_at(own.environment.clone()).await;
    let (ada, task, mut stream) = with_a_stream(&app).await;
    for part in ["taskfold command-api", "taskfold projector", "taskfold query-api", "taskfold live feed"] {
        app.settle().await;
        let suspended = suspend_sessions(&app, part).await;
        tokio::join!(rename(&ada, &task, part), read(&ada, &task));
        // They are still suspended.
        recovers(&app, &ada, &task, &mut stream).await;
        eventually(&format!("reads without those of {part}"), || async {
            (ada.get(&format!("/v1/tasks/{task}")).await.status == 200).then_some(())
        })
        .await;
        drop(suspended);
        recovers(&app, &ada, &task, &mut stream).await;
    }
    drop(stream);
    app.finish().await;
    own.stack.stop().await;
}

#[tokio::test]
async fn requests_are_answered_in_time_while_the_server_is_suspended() {
    let own = Own::start("server").await;
    let app = App::start_at(own.environment.clone()).await;
    let (ada, task, mut stream) = with_a_stream(&app).await;
    let postmaster = Suspended::new(vec![own.postmaster()]);
    // Open sessions are not affected.
    assert!(rename(&ada, &task, "no new sessions").await);
    let all = Suspended::new(backends(&app, "true").await);
    for round in 0..2 {
        let title = format!("silent {round}");
        let (done, ()) = tokio::join!(rename(&ada, &task, &title), read(&ada, &task));
        assert!(!done);
    }
    let ready = app.anonymous().get("/health/ready").await;
    assert_eq!(ready.status, 503, "{}", ready.body);
    drop(all);
    drop(postmaster);
    recovers(&app, &ada, &task, &mut stream).await;
    drop(stream);
    app.finish().await;
    own.stack.stop().await;
}
