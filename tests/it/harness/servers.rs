//! The PostgreSQL and nats-server that all tests of a run share.

use std::path::PathBuf;
use std::sync::OnceLock;

use sqlx::{Connection, Executor, PgConnection};
use taskfold::databases::RoleUrls;
use taskfold_embedded::{Durability, Options, Stack};
use tokio::sync::{Mutex, OnceCell};

const TEMPLATE: &str = "taskfold_template";
/// Owner of the tables, if that is not a superuser.
const PLAIN: &str = "plain_owner";

pub struct Servers {
    pub nats_url: String,
    postgres: String,
    /// PostgreSQL copies a template only while nothing else copies it.
    copying: Mutex<()>,
}

/// Starts the servers with the first test that needs them, in a thread and runtime of their own that outlive every
/// test. They end with the process.
pub async fn servers() -> &'static Servers {
    static SERVERS: OnceCell<Servers> = OnceCell::const_new();
    SERVERS
        .get_or_init(|| async {
            let (database_url, nats_url) = tokio::task::spawn_blocking(start).await.unwrap();
            let servers = Servers { nats_url, postgres: database_url, copying: Mutex::new(()) };
            servers.make_template().await;
            servers
        })
        .await
}

/// Data folder of the servers of a run: outside the checkout, because root starts PostgreSQL as another user, who must
/// be able to read the path. Data of earlier runs is removed.
pub fn data_dir(name: &str) -> PathBuf {
    const PREFIX: &str = "taskfold-test-";
    let parent = std::env::temp_dir();
    for entry in std::fs::read_dir(&parent).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<i32>().ok());
        if let Some(pid) = pid
            && nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None) == Err(nix::errno::Errno::ESRCH)
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    parent.join(format!("{PREFIX}{}-{name}", std::process::id()))
}

/// The version of PostgreSQL in TASKFOLD_TEST_POSTGRES, such as 15; otherwise that of the program.
fn major() -> Option<u32> {
    let named = std::env::var("TASKFOLD_TEST_POSTGRES").ok()?;
    Some(named.parse().expect("TASKFOLD_TEST_POSTGRES is a major version, such as 15"))
}

/// Returns whether TASKFOLD_TEST_OWNER=plain sets the owner of the tables to a role that may create roles and is not a
/// superuser.
fn owner_is_plain() -> bool {
    match std::env::var("TASKFOLD_TEST_OWNER").as_deref() {
        Err(_) => false,
        Ok("plain") => true,
        Ok(other) => panic!("TASKFOLD_TEST_OWNER is `plain`, and not {other}"),
    }
}

fn owner() -> &'static str {
    if owner_is_plain() { PLAIN } else { "postgres" }
}

fn start() -> (String, String) {
    static URLS: OnceLock<(String, String)> = OnceLock::new();
    URLS.get_or_init(|| {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(async move {
                let options = Options {
                    data_dir: data_dir("shared"),
                    postgres: true,
                    nats: Some("TASKFOLD".to_owned()),
                    durability: Durability::TestsOnly,
                };
                let stack = Stack::start_on(options, major()).await.expect("the embedded servers start");
                sender.send((stack.admin_url("taskfold").unwrap(), stack.nats_url().unwrap())).unwrap();
                std::future::pending::<()>().await;
            });
        });
        receiver.recv().expect("the embedded servers start")
    })
    .clone()
}

impl Servers {
    async fn make_template(&self) {
        let mut db = PgConnection::connect(&self.postgres).await.unwrap();
        if owner_is_plain() {
            db.execute(format!("CREATE ROLE {PLAIN} LOGIN CREATEROLE PASSWORD '{PLAIN}'").as_str()).await.unwrap();
        }
        db.execute(format!("CREATE DATABASE {TEMPLATE} OWNER {}", owner()).as_str()).await.unwrap();
        db.close().await.unwrap();
        let pool = sqlx::PgPool::connect(&self.url(TEMPLATE)).await.unwrap();
        taskfold::migrate::run(&pool, &RoleUrls::default()).await.unwrap();
        pool.close().await;
    }

    pub async fn new_database(&self, name: &str) -> String {
        let _one_at_a_time = self.copying.lock().await;
        let mut db = PgConnection::connect(&self.postgres).await.unwrap();
        db.execute(
            format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY = FILE_COPY OWNER {}", owner()).as_str(),
        )
        .await
        .unwrap();
        db.close().await.unwrap();
        self.url(name)
    }

    /// URL of a superuser, in no test's database.
    pub fn admin_url(&self) -> String {
        self.postgres.clone()
    }

    fn url(&self, database: &str) -> String {
        let url = self.postgres.replace("/taskfold?", &format!("/{database}?"));
        if owner_is_plain() { url.replace("//postgres@", &format!("//{PLAIN}:{PLAIN}@")) } else { url }
    }
}
