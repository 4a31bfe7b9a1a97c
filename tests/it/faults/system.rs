//! A system of real servers and roles, with a network between each two of them that can fail.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use taskfold::databases::RoleUrls;
use taskfold_embedded::{Durability, Options, Stack};
use tokio::time::sleep;

use super::load::World;
use crate::harness::{Actor, Backup, Disk, NetworkProxy, Process, data_dir, eventually};

const WRITERS: usize = 3;
/// Enough for the longest run.
const WITH_FILES: usize = 10;

pub struct System {
    pub stack: Stack,
    pub owner: PgPool,
    pub commands: Process,
    pub reads: Process,
    /// An active projector and a standby.
    pub projectors: [Process; 2],
    pub proxies: NetworkProxies,
    /// Disks of the servers, where they can be mounted.
    pub disks: Option<Disks>,
}

/// The network connections, pair by pair.
pub struct NetworkProxies {
    pub commands_to_postgres: NetworkProxy,
    pub reads_to_postgres: NetworkProxy,
    pub projectors_to_postgres: [NetworkProxy; 2],
    pub reads_to_nats: NetworkProxy,
    pub projectors_to_nats: [NetworkProxy; 2],
    pub clients_to_commands: NetworkProxy,
    pub clients_to_reads: NetworkProxy,
}

/// Disks of the servers; the inner ones are unmounted first.
pub struct Disks {
    pub attachments: Disk,
    pub nats: Disk,
    pub postgres: Disk,
}

impl System {
    pub async fn start(name: &str) -> Self {
        let data = data_dir(name);
        // PostgreSQL needs space for its WAL; the data stored on NATS is small.
        let disks = Disk::mount(&data, 1500).map(|postgres| {
            let nats = Disk::mount(&data.join("nats").join("store"), 300).expect("a second disk, after the first");
            let attachments = Disk::mount(&data.join("attachments"), 300).expect("a third disk, after the first");
            Disks { attachments, nats, postgres }
        });
        let options = Options {
            data_dir: data.clone(),
            postgres: true,
            nats: Some("TASKFOLD".to_owned()),
            durability: Durability::Full,
        };
        let stack = Stack::start(options).await.unwrap();
        let (database, nats) = (stack.database_url().unwrap(), stack.nats_url().unwrap());
        let owner = PgPool::connect_lazy(&database).unwrap();
        taskfold::migrate::run(&owner, &RoleUrls::default()).await.unwrap();

        let to_postgres = || NetworkProxy::to_postgres(&database);
        let to_nats = || NetworkProxy::to_nats(&nats);
        let proxies = (
            to_postgres().await,
            to_postgres().await,
            [to_postgres().await, to_postgres().await],
            to_nats().await,
            [to_nats().await, to_nats().await],
        );
        let (commands_to_postgres, reads_to_postgres, projectors_to_postgres, reads_to_nats, projectors_to_nats) =
            proxies;
        let start = |role: &str, postgres: &NetworkProxy, nats: &NetworkProxy| {
            let (database, nats) = (postgres.database_url(&database), nats.nats_url());
            let data = data.display().to_string();
            Process::start(role, &["--database-url", &database, "--nats-url", &nats, "--data-dir", &data])
        };
        // It does not use NATS, and gets an address as the others do.
        let commands = start("command-api", &commands_to_postgres, &reads_to_nats);
        let reads = start("query-api", &reads_to_postgres, &reads_to_nats);
        let projectors = [0, 1].map(|n| start("projector", &projectors_to_postgres[n], &projectors_to_nats[n]));
        for process in [&commands, &reads, &projectors[0], &projectors[1]] {
            process.ready().await;
        }
        let proxies = NetworkProxies {
            commands_to_postgres,
            reads_to_postgres,
            projectors_to_postgres,
            reads_to_nats,
            projectors_to_nats,
            clients_to_commands: NetworkProxy::to_http(&commands.url).await,
            clients_to_reads: NetworkProxy::to_http(&reads.url).await,
        };
        Self { stack, owner, commands, reads, projectors, proxies, disks }
    }

    /// Creates two people, a project, and a task for each writer.
    pub async fn world(&self) -> World {
        let both = async |name: &str| {
            let session = Actor::sign_up(&self.proxies.clients_to_commands.http_url(), name).await;
            // A token that is valid for longer than the longest run.
            let one = session.api_token(json!({"name": "faults", "access": "write"})).await;
            [one.clone(), Actor { url: self.proxies.clients_to_reads.http_url(), ..one }]
        };
        let (ada, bo) = (both("ada").await, both("bo").await);
        let (project, _) = ada[0].project("P").await;
        ada[0]
            .put(&format!("/v1/projects/{project}/members/{}", bo[0].user_id), json!({"role": "viewer"}))
            .await
            .expect(201);
        let mut tasks = Vec::new();
        for n in 0..WRITERS {
            tasks.push(ada[0].task(&project, &format!("of writer {n}")).await);
        }
        let mut with_files = Vec::new();
        for n in 0..WITH_FILES {
            with_files.push(ada[0].task(&project, &format!("with files {n}")).await);
        }
        eventually("the project can be read", || async {
            (bo[1].get(&format!("/v1/projects/{project}")).await.status == 200).then_some(())
        })
        .await;
        let nats_url = self.stack.nats_url().unwrap();
        let projectors = [0, 1].map(|n| self.projectors[n].url.clone());
        World { projectors, ada, bo, project, tasks, with_files, nats_url, stream: "TASKFOLD".to_owned() }
    }

    /// Index of the active projector.
    pub async fn leader(&self) -> usize {
        eventually("a projector leads", || async {
            for (n, projector) in self.projectors.iter().enumerate() {
                let metrics = reqwest::get(format!("{}/metrics", projector.url)).await.ok()?.text().await.ok()?;
                if metrics.lines().any(|line| line == "taskfold_projector_leads 1") {
                    return Some(n);
                }
            }
            None
        })
        .await
    }

    pub async fn until_publication_is_degraded(&self) {
        eventually("publication is degraded", || async {
            let ready = reqwest::get(format!("{}/health/ready", self.projectors[0].url)).await.ok()?;
            let ready: Value = ready.json().await.ok()?;
            let mut dependencies = ready["dependencies"].as_array()?.iter();
            dependencies.any(|one| one["name"] == "publication" && one["state"] == "degraded").then_some(())
        })
        .await;
    }

    /// Process ids of an embedded server and all its children.
    pub fn pids_of(&self, server: &str) -> Vec<Pid> {
        let found = self.stack.servers().into_iter().find(|found| found.name == server).unwrap();
        let Some(pid) = found.pid else { return Vec::new() };
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let children = children.split_whitespace().map(|child| child.parse().unwrap());
        std::iter::once(i32::try_from(pid).unwrap()).chain(children).map(Pid::from_raw).collect()
    }

    pub fn signal_server(&self, server: &str, signal: Signal) {
        for pid in self.pids_of(server) {
            // A process that has ended in the meantime needs no signal.
            let _ = kill(pid, signal);
        }
    }

    pub async fn backup(&self) -> Backup {
        let admin_url = self.stack.admin_url("postgres").unwrap();
        Backup::of(&self.stack.database_url().unwrap(), &admin_url).await
    }

    /// Makes the server read-only, as a failover to a replica does.
    pub async fn set_read_only(&self, read_only: bool) {
        let mut db = PgConnection::connect(&self.stack.admin_url("postgres").unwrap()).await.unwrap();
        let set = format!("ALTER DATABASE taskfold SET default_transaction_read_only = {read_only}");
        db.execute(set.as_str()).await.unwrap();
        let end_sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'taskfold'";
        db.execute(end_sessions).await.unwrap();
        db.close().await.unwrap();
    }

    /// Runs a `taskfold` command; returns its success and its output.
    pub async fn run(&self, command: &str) -> (bool, String) {
        let (database, nats) = (self.stack.database_url().unwrap(), self.stack.nats_url().unwrap());
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_taskfold"))
            .args([command, "--log", "error", "--database-url", &database, "--nats-url", &nats])
            .output()
            .await
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    pub async fn stop(self) {
        let Self { stack, owner, commands, reads, projectors, proxies: _, disks } = self;
        owner.close().await;
        drop((commands, reads, projectors));
        stack.stop().await;
        drop(disks);
    }
}

/// Lets a process run for a fifth of the time.
pub async fn throttle(time: Duration, signal: impl Fn(Signal)) {
    for _ in 0..time.as_millis() / 100 {
        signal(Signal::SIGSTOP);
        sleep(Duration::from_millis(80)).await;
        signal(Signal::SIGCONT);
        sleep(Duration::from_millis(20)).await;
    }
}
