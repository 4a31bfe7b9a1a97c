//! The system under test: PostgreSQL, NATS and Taskfold as processes.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};
use taskfold::config::nats::Nats;
use taskfold_embedded::{Durability, Options, Stack};

use crate::client::{Client, text};

/// PostgreSQL and NATS as in production, in a temporary folder, and Taskfold in separate processes.
pub struct System {
    pub stack: Stack,
    /// Declared after the stack, so that the servers have ended when the folder is removed.
    dir: Folder,
}

/// Removed with its contents when dropped, also when a measurement fails: it may contain gigabytes.
pub struct Folder(pub PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One role as a process.
pub struct Process {
    pub address: String,
    child: Child,
    /// Signal that ends the process when it is no longer needed.
    ends_with: Signal,
}

/// Limit of connections of a process: as many files as a process can open here.
const MAX_CONNECTIONS: &str = "19900";

impl System {
    pub async fn start() -> anyhow::Result<Self> {
        let dir = Folder(std::env::temp_dir().join(format!("taskfold-bench-{}", std::process::id())));
        let options = Options {
            data_dir: dir.0.clone(),
            postgres: true,
            nats: Some("TASKFOLD".to_owned()),
            durability: Durability::Full,
        };
        let stack = Stack::start(options).await?;
        let system = Self { stack, dir };
        ensure!(system.command("migrate")?.status()?.success(), "taskfold migrate failed");
        system.make_wal().await?;
        Ok(system)
    }

    /// Creates a gigabyte of WAL files, like a database that was in use: PostgreSQL writes each new file of 16 MB
    /// twice, and a commit then waits for some 50 ms.
    async fn make_wal(&self) -> anyhow::Result<()> {
        let mut db = PgConnection::connect(&self.stack.admin_url("taskfold").context("no PostgreSQL")?).await?;
        db.execute(
            "DO $$ BEGIN FOR i IN 1..64 LOOP PERFORM pg_logical_emit_message(false, '', ''), pg_switch_wal(); END LOOP; END $$",
        )
        .await?;
        // WAL files that are no longer needed are recycled.
        db.execute("CHECKPOINT").await?;
        Ok(db.close().await?)
    }

    /// Command that runs to its end without output here.
    pub fn command(&self, name: &str) -> anyhow::Result<Command> {
        let mut command = command()?;
        command.args([name, "--log", "error"]).args(servers(&self.stack)?).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command)
    }

    pub async fn role(&self, role: &str) -> anyhow::Result<Process> {
        self.role_at(role, free_address()?).await
    }

    pub async fn role_at(&self, role: &str, address: String) -> anyhow::Result<Process> {
        let child = command()?
            .args([role, "--listen", &address, "--log", "error", "--max-connections", MAX_CONNECTIONS])
            // A few people send all requests.
            .args(["--commands-per-minute", "0", "--reads-per-minute", "0", "--uploads-per-minute", "0"])
            .args(["--imports-per-minute", "0"])
            .arg("--data-dir")
            .arg(&self.dir.0)
            .args(servers(&self.stack)?)
            .stdout(Stdio::null())
            .spawn()?;
        let process = Process::other(address, child);
        for _ in 0..200 {
            if let Ok(mut client) = Client::connect(&process.address, "").await
                && client.send("GET", "/health/ready", String::new()).await.is_ok()
            {
                return Ok(process);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("{role} is not ready after 10 s")
    }

    pub fn database_url(&self) -> anyhow::Result<String> {
        self.stack.database_url().context("no PostgreSQL")
    }

    pub async fn nats(&self) -> anyhow::Result<async_nats::Client> {
        let url = self.stack.nats_url().context("no NATS")?;
        taskfold::connections::nats(&url, &Nats::default(), "taskfold-bench").await
    }

    /// PostgreSQL and NATS.
    pub fn servers(&self) -> Vec<(String, u32)> {
        self.stack.servers().into_iter().filter_map(|server| Some((server.name.to_owned(), server.pid?))).collect()
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.stack.stop().await;
        Ok(())
    }
}

impl Process {
    /// A process of ours that is not a role, listening on this address.
    pub fn other(address: String, child: Child) -> Self {
        Self { address, child, ends_with: Signal::SIGKILL }
    }

    /// Ends the process with this signal instead of SIGKILL.
    pub fn that_ends_with(self, signal: Signal) -> Self {
        let mut process = self;
        process.ends_with = signal;
        process
    }

    /// Waits until the process accepts connections, and returns it.
    pub async fn listening(self) -> anyhow::Result<Self> {
        for _ in 0..200 {
            if Client::connect(&self.address, "").await.is_ok() {
                return Ok(self);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("no server listens at {} after 4 s", self.address)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.pid())?), signal)?)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal and waits until the process has ended.
    pub async fn end(mut self, signal: Signal) -> anyhow::Result<()> {
        self.signal(signal)?;
        while self.child.try_wait()?.is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Creates a person with a project; returns the person's client and the project's id.
    pub async fn someone(&self) -> anyhow::Result<(Client, String)> {
        let mut client = Client::connect(&self.address, "").await?;
        let account = json!({"username": "bench", "display_name": "Bench", "password": "correct horse battery"});
        client.send("POST", "/v1/accounts", account.to_string()).await?;
        let session = json!({"username": "bench", "password": "correct horse battery"});
        let session = client.json("POST", "/v1/sessions", session.to_string()).await?;
        client.token = text(&session, "access_token")?.to_owned();
        let project = client.json("POST", "/v1/projects", json!({"name": "Bench"}).to_string()).await?;
        let project = text(&project, "id")?.to_owned();
        Ok((client, project))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.signal(self.ends_with);
        let _ = self.child.wait();
    }
}

/// Returns an address of this machine that no process listens on.
pub fn free_address() -> anyhow::Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn command() -> anyhow::Result<Command> {
    let program = std::env::current_exe()?.with_file_name("taskfold");
    ensure!(program.exists(), "build it first: cargo build --release -p taskfold -p taskfold-bench");
    Ok(Command::new(program))
}

fn servers(stack: &Stack) -> anyhow::Result<[String; 4]> {
    Ok([
        "--database-url".to_owned(),
        stack.database_url().context("no PostgreSQL")?,
        "--nats-url".to_owned(),
        stack.nats_url().context("no NATS")?,
    ])
}
