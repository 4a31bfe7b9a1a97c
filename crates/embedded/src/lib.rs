//! A private PostgreSQL and nats-server as child processes: the real servers, without installation or configuration.
//!
//! `taskfold` uses them without `DATABASE_URL` and `NATS_URL`, and the tests use them in the same way.

/// Binaries of the servers.
mod binaries;
/// Child processes that end with their parent.
mod child;
/// The lock of the data dir, and the addresses of its servers.
mod data_dir;
/// The nats-server.
mod nats;
/// Leftovers of killed runs.
mod orphans;
/// The owner of the database.
mod owner;
/// Versions and hashes of the fetched builds.
mod pins;
/// The PostgreSQL server.
mod postgres;
/// The user that the servers run as.
mod privileges;
/// Folders of the servers' data.
mod server_dir;
/// Supervision of a server.
mod supervisor;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

pub use data_dir::{Running, attach};
pub use supervisor::{Restarter, ServerState, ServerStatus};

use data_dir::DataDir;
use nats::NatsUrls;
use supervisor::Supervised;

/// Path of nats-server, for running it without a [`Stack`]. Blocks for seconds the first time.
pub fn nats_server(data_dir: &Path) -> anyhow::Result<PathBuf> {
    binaries::nats(data_dir, &privileges::RunAs::decide()?)
}

const DATABASE: &str = "taskfold";

/// Data loss that a power failure may cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// None of what was acknowledged.
    Full,
    /// All data. For tests, whose data is not needed afterwards.
    TestsOnly,
}

/// Settings of a [`Stack`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Created if missing, kept between runs, used by one program at a time.
    pub data_dir: PathBuf,
    pub postgres: bool,
    /// Name of the stream whose events followers of the nats-server may read; without one, none is started.
    pub nats: Option<String>,
    pub durability: Durability,
}

/// Addresses of the embedded PostgreSQL.
struct DatabaseUrls {
    /// URL of the database `taskfold`, as its owner.
    owner: String,
    /// The same as the superuser.
    admin: String,
}

/// The running servers. Dropping this stops them too, but blocks: prefer [`Stack::stop`].
pub struct Stack {
    postgres: Option<(Supervised, DatabaseUrls)>,
    nats: Option<(Supervised, NatsUrls)>,
    /// Last, so that the lock outlives the servers.
    data_dir: DataDir,
}

impl Stack {
    /// Starts the servers and waits until they are ready. Usually this takes less than a second. It takes seconds the
    /// first time on a machine, to fetch the binaries, and the first time in a data dir, to create the database.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        Self::start_on(options, None).await
    }

    /// Starts the servers with this major version of PostgreSQL, or fails.
    pub async fn start_on(options: Options, postgres_major: Option<u32>) -> anyhow::Result<Self> {
        let Options { data_dir, postgres, nats, durability } = options;
        let data_dir = DataDir::take(&data_dir)?;
        let path = data_dir.path.clone();
        let for_postgres = path.clone();
        // Concurrently, because each may have to fetch its binaries.
        let (postgres, nats) = tokio::try_join!(
            set_up(postgres.then_some(()), move |()| {
                let postgres = postgres::Postgres::set_up(&for_postgres, durability, postgres_major)?;
                let urls = DatabaseUrls {
                    owner: postgres.url(owner::OWNER, DATABASE),
                    admin: postgres.url(postgres::SUPERUSER, DATABASE),
                };
                Ok((Supervised::start(postgres)?, urls))
            }),
            set_up(nats, move |stream| {
                let nats = nats::Nats::set_up(&path, stream)?;
                let urls = nats.urls();
                Ok((Supervised::start(nats)?, urls))
            }),
        )?;
        let stack = Self { postgres, nats, data_dir };
        if let Some((server, _)) = &stack.postgres {
            server.until_up().await?;
            let admin = stack.admin_url("postgres").context("there is no PostgreSQL")?;
            owner::set_up(&admin).await?;
        }
        if let Some((server, _)) = &stack.nats {
            server.until_up().await?;
        }
        stack.data_dir.announce(&Running {
            pid: std::process::id(),
            database_url: stack.database_url(),
            nats_url: stack.nats_url(),
        })?;
        Ok(stack)
    }

    /// URL of the database `taskfold` as its owner, for sqlx and psql. Restarts do not change it.
    pub fn database_url(&self) -> Option<String> {
        self.postgres.as_ref().map(|(_, urls)| urls.owner.clone())
    }

    /// URL of a database of the server as the superuser. The database need not exist yet.
    pub fn admin_url(&self, database: &str) -> Option<String> {
        let (_, urls) = self.postgres.as_ref()?;
        Some(urls.admin.replace(&format!("/{DATABASE}?"), &format!("/{database}?")))
    }

    /// URL of NATS with the user and password of the program, who may do everything.
    pub fn nats_url(&self) -> Option<String> {
        self.nats.as_ref().map(|(_, urls)| urls.program.clone())
    }

    /// URL of NATS with the user and password for followers, who may only read the events.
    pub fn follower_nats_url(&self) -> Option<String> {
        self.nats.as_ref().map(|(_, urls)| urls.follower.clone())
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir.path
    }

    /// Current status of each server.
    pub fn servers(&self) -> Vec<ServerStatus> {
        self.supervised().map(Supervised::status).collect()
    }

    /// Status of each server, and its changes.
    pub fn watch(&self) -> Vec<tokio::sync::watch::Receiver<ServerStatus>> {
        self.supervised().map(Supervised::watch).collect()
    }

    /// Handle that restarts the nats-server, if this stack runs one.
    pub fn nats_restarter(&self) -> Option<Restarter> {
        self.nats.as_ref().map(|(server, _)| server.restarter())
    }

    /// Stops both servers gracefully and unlocks the data dir. Takes a few seconds at most.
    pub async fn stop(self) {
        // Joining threads blocks, which a thread of the runtime must not.
        let stopped = tokio::task::spawn_blocking(move || drop(self)).await;
        if let Err(error) = stopped {
            tracing::error!(%error, "stopping the embedded servers failed");
        }
    }

    fn supervised(&self) -> impl Iterator<Item = &Supervised> {
        let postgres = self.postgres.iter().map(|(server, _)| server);
        postgres.chain(self.nats.iter().map(|(server, _)| server))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.supervised().for_each(Supervised::ask_to_stop);
        let postgres = self.postgres.iter_mut().map(|(server, _)| server);
        postgres.chain(self.nats.iter_mut().map(|(server, _)| server)).for_each(Supervised::join);
    }
}

async fn set_up<S: Send + 'static, Started: Send + 'static>(
    settings: Option<S>,
    start: impl FnOnce(S) -> anyhow::Result<Started> + Send + 'static,
) -> anyhow::Result<Option<Started>> {
    let Some(settings) = settings else { return Ok(None) };
    tokio::task::spawn_blocking(move || start(settings)).await?.map(Some)
}
