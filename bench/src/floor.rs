//! The floor of the write measurements: pgbench inserting one row at a time.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use sqlx::PgPool;

use crate::system::System;

/// A table with the columns and indexes of `events`; a row is about as large as that of a created task.
const TABLE: &str = "CREATE TABLE floor (LIKE events INCLUDING ALL); CREATE SEQUENCE floor_position";
const INSERT: &str = "\
INSERT INTO floor (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, project_id, actor_id, \
command_id, occurred_at, recorded_at) VALUES (nextval('floor_position'), 'task', gen_random_uuid()::text, 1, 'task.created', \
'1', json_build_object('type', 'task.created', 'changes', json_build_object('title', repeat('x', 800))), \
'01900000-0000-7000-8000-000000000001', '01900000-0000-7000-8000-000000000002', gen_random_uuid(), now(), now());
";

/// PostgreSQL's own load generator, inserting one row at a time into a table like `events`.
pub struct Floor {
    pgbench: PathBuf,
    script: PathBuf,
    url: String,
}

impl Floor {
    pub async fn new(system: &System) -> anyhow::Result<Self> {
        let url = system.database_url()?;
        let pool = PgPool::connect(&url).await?;
        for statement in TABLE.split(';') {
            sqlx::query(statement).execute(&pool).await?;
        }
        pool.close().await;
        let script = std::env::temp_dir().join(format!("taskfold-floor-{}.sql", std::process::id()));
        std::fs::write(&script, INSERT)?;
        Ok(Self { pgbench: beside_postgres(system)?, script, url })
    }

    /// Measures rows per second.
    pub async fn measure(&self, clients: usize, seconds: u64) -> anyhow::Result<f64> {
        let mut command = Command::new(&self.pgbench);
        command.arg("-f").arg(&self.script);
        transactions(command, &self.url, clients, seconds).await
    }
}

/// Runs pgbench with the given arguments; returns transactions per second.
pub async fn transactions(mut pgbench: Command, url: &str, clients: usize, seconds: u64) -> anyhow::Result<f64> {
    pgbench.args(["-n", "-M", "prepared", "-c", &clients.to_string(), "-j", "2", "-T", &seconds.to_string()]).arg(url);
    let output = tokio::task::spawn_blocking(move || pgbench.output()).await?.context("running pgbench")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find(|line| line.starts_with("tps = ")).context("pgbench reported no tps")?;
    Ok(line.trim_start_matches("tps = ").split(' ').next().unwrap_or_default().parse()?)
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.script);
    }
}

/// Returns the pgbench of the server's own build, otherwise the one on the PATH.
pub fn beside_postgres(system: &System) -> anyhow::Result<PathBuf> {
    let postgres = system.stack.servers().into_iter().find(|s| s.name == "postgres").context("no PostgreSQL")?;
    let program = postgres.pid.and_then(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).ok());
    let beside = program.map(|program| program.with_file_name("pgbench")).filter(|pgbench| pgbench.exists());
    Ok(beside.unwrap_or_else(|| PathBuf::from("pgbench")))
}
