//! One PostgreSQL and one nats-server for the whole run, started by the launcher of the program; a database and a
//! stream for each test.

/// Clients of the HTTP APIs.
mod actor;
/// A database that is restored to an earlier state.
mod backup;
/// Time and ids of the tests.
mod clock;
/// A cluster of nats-servers.
mod cluster;
/// A small disk that can be filled.
mod disk;
/// A nats-server with settings of the test.
mod nats_server;
/// A network between the system and its servers that can fail.
mod network_proxy;
/// Events that the program did not write.
mod plant;
/// A role as a process that can be killed.
mod process;
/// The servers that all tests share.
mod servers;
/// Reading an SSE stream.
mod sse;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clap::Parser as _;
use sqlx::PgPool;
use taskfold::config::Cli;
use taskfold::program::{Environment, Program};
use taskfold_projector::{ProjectorError, stream};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use actor::{Actor, Answer, PASSWORD};
pub use backup::Backup;
pub use clock::{clock, new_id, now};
pub use cluster::Cluster;
pub use disk::Disk;
pub use nats_server::NatsServer;
pub use network_proxy::NetworkProxy;
pub use process::Process;
pub use servers::{data_dir, servers};
pub use sse::{Frame, Sse};

/// Time limit for an expected result.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A complete system: all roles on one port.
pub struct App {
    pub url: String,
    pub database_url: String,
    pub nats_url: String,
    pub stream: String,
    /// Connections as the owner of the tables.
    pub owner: PgPool,
    pub data_dir: PathBuf,
    /// Storage of attachments.
    pub attachments: taskfold_attachments::Store,
    shutdown: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

/// Test environment: a database and a stream that no other test uses.
#[derive(Clone)]
pub struct TestEnvironment {
    pub database_url: String,
    pub nats_url: String,
    pub stream: String,
    /// More settings, as on the command line.
    pub flags: Vec<String>,
    /// Folder for attachments.
    pub data_dir: PathBuf,
}

impl TestEnvironment {
    pub async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let servers = servers().await;
        Self {
            database_url: servers.new_database(&format!("test_{n}")).await,
            nats_url: servers.nats_url.clone(),
            stream: format!("TEST_{n}"),
            flags: Vec::new(),
            data_dir: data_dir(&format!("data-{n}")),
        }
    }

    /// Settings of a process with this database, stream and folder.
    pub fn settings(&self) -> [&str; 8] {
        process_settings(&self.database_url, &self.nats_url, &self.stream, &self.data_dir)
    }

    /// Builds a program as the command line would. With TASKFOLD_ATTACHMENTS_URL in the environment, as for running the
    /// tests on an S3-compatible store, each test has a prefix of its own below it.
    pub fn program(&self) -> Program {
        let url =
            std::env::var("TASKFOLD_ATTACHMENTS_URL").map(|url| format!("{url}/{}", self.stream)).unwrap_or_default();
        let flags = ["taskfold", "--attachments-url", &url, "--listen", "127.0.0.1:0", "--pool-size", "8"];
        let more = self.flags.iter().map(String::as_str);
        let cli = Cli::try_parse_from(flags.into_iter().chain(self.settings()).chain(more)).unwrap();
        Program {
            settings: cli.settings().unwrap(),
            metrics: metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle(),
            clock: clock(),
            shutdown: CancellationToken::new(),
        }
    }
}

fn process_settings<'a>(database_url: &'a str, nats_url: &'a str, stream: &'a str, data_dir: &'a Path) -> [&'a str; 8] {
    let data_dir = data_dir.to_str().unwrap();
    ["--database-url", database_url, "--nats-url", nats_url, "--stream", stream, "--data-dir", data_dir]
}

impl App {
    /// Settings of another process with the same database, stream and folder.
    pub fn settings(&self) -> [&str; 8] {
        process_settings(&self.database_url, &self.nats_url, &self.stream, &self.data_dir)
    }

    pub async fn start() -> Self {
        Self::start_at(TestEnvironment::new().await).await
    }

    /// Starts a system with these additional settings.
    pub async fn start_with(flags: &[&str]) -> Self {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Self::start_at(TestEnvironment { flags, ..TestEnvironment::new().await }).await
    }

    pub async fn start_at(environment: TestEnvironment) -> Self {
        let program = environment.program();
        let shutdown = program.shutdown.clone();
        let attachments = taskfold::attachments::store(&program.settings.attachments.location).unwrap();
        let program_environment =
            Environment::new(program, Some(environment.database_url.clone()), Some(environment.nats_url.clone()))
                .unwrap();
        let owner = program_environment.owner.clone().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let running = tokio::spawn(taskfold::roles::all::serve(program_environment, listener));
        let app = Self {
            url,
            database_url: environment.database_url,
            nats_url: environment.nats_url,
            stream: environment.stream,
            data_dir: environment.data_dir,
            attachments,
            owner,
            shutdown,
            running,
        };
        eventually("the system is ready", || async {
            let ready = reqwest::get(format!("{}/health/ready", app.url)).await;
            ready.is_ok_and(|r| r.status() == 200).then_some(())
        })
        .await;
        app
    }

    /// Creates an account and signs in.
    pub async fn person(&self, username: &str) -> Actor {
        Actor::sign_up(&self.url, username).await
    }

    /// Creates Ada with a project and a task in it, all of it projected and published at position 2.
    pub async fn with_a_task(&self) -> (Actor, String, String) {
        let ada = self.person("ada").await;
        let (project, _) = ada.project("P").await;
        let task = ada.task(&project, "T").await;
        self.settle().await;
        (ada, project, task)
    }

    pub fn anonymous(&self) -> Actor {
        Actor::anonymous(&self.url)
    }

    pub async fn nats(&self) -> async_nats::Client {
        nats(&self.nats_url).await.unwrap()
    }

    /// Last position of the log, also when the connections were cut just before.
    pub async fn head(&self) -> i64 {
        eventually("the log has a head", || async { taskfold_event_log::head(&self.owner).await.ok() }).await
    }

    /// Inserts an event of this aggregate directly into the log, and returns its position.
    pub async fn plant(&self, aggregate: &str, event_type: &str, payload: &str) -> i64 {
        plant::plant(&self.owner, aggregate, event_type, payload).await
    }

    /// Blocks the projector until the transaction ends.
    pub async fn block_projector(&self) -> sqlx::Transaction<'static, sqlx::Postgres> {
        let mut held = self.owner.begin().await.unwrap();
        sqlx::query("LOCK TABLE set_aside_events").execute(&mut *held).await.unwrap();
        held
    }

    /// Waits until everything that was appended is projected and published.
    pub async fn settle(&self) {
        let nats = self.nats().await;
        eventually("everything is projected and published", || async {
            let head = self.head().await;
            let projected = taskfold_event_log::projected_position(&self.owner).await.ok()?;
            (projected == head && self.published(&nats).await? == head).then_some(())
        })
        .await;
    }

    /// The position of the stream's last message; `None` when there is no stream.
    pub async fn published(&self, nats: &async_nats::Client) -> Option<i64> {
        let stream = stream::find(&stream::context(nats), &self.stream).await.ok()??;
        stream::last_sequence(&stream).await.ok()
    }

    /// Report of `taskfold verify`. Repeated while dead connections are being replaced, one per second.
    pub async fn verify(&self) -> taskfold_projector::verify::Report {
        let nats = self.nats().await;
        eventually("a connection for the verification is available", || async {
            match taskfold_projector::verify::verify(&self.owner, Some((&nats, &self.stream))).await {
                Ok(report) => Some(report),
                Err(ProjectorError::Database(sqlx::Error::PoolTimedOut)) => None,
                Err(error) => panic!("{error}"),
            }
        })
        .await
    }

    /// Ends the test: log, stream and read tables must agree, and `verify` must find nothing else.
    pub async fn finish(self) {
        self.settle().await;
        let report = self.verify().await;
        assert!(report.is_clean(), "{report}");
        self.stop().await;
    }

    /// Stops the system gracefully; it must end without an error.
    pub async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.running).await;
        ended.expect("the system stops in time").unwrap().unwrap();
        self.owner.close().await;
    }
}

/// Connects to the servers of this URL, with the user and password in it, as the program does.
pub async fn nats(url: &str) -> anyhow::Result<async_nats::Client> {
    let options = taskfold::config::nats::Nats::default().options(url)?;
    Ok(options.connect(taskfold::config::nats::servers(url)?).await?)
}

/// Prints that a test is skipped. Written directly, because the output of macros is captured while a test passes.
pub fn skipped(why: &str) {
    use std::io::Write as _;
    std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}

/// Polls until there is a result, for at most [`PATIENCE`].
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("not in {PATIENCE:?}: {what}"))
}
