//! Measures commands per second in process, without HTTP and projections, compared with pgbench and postgres-es.

/// Contention: many clients on one aggregate, and several engines on one log.
mod contention;
/// The same aggregates on the unmodified event store of postgres-es.
mod postgres_es;

use std::sync::Arc;

use futures::future::try_join_all;
use serde_json::{Value, json};
use taskfold::databases::{DatabaseRole, role_pool};
use taskfold_commands::{Engine, Envelope};
use taskfold_domain::ids::{ProjectId, TaskId, UserId};
use taskfold_domain::{Project, ProjectCommand, TaskCommand};
use taskfold_event_log::Writes;
use tokio::sync::watch;

use self::postgres_es::PostgresEs;
use crate::clients;
use crate::clock::clock;
use crate::floor::Floor;
use crate::statistics::{figure, median, millis, percentile, spread};
use crate::system::System;
use crate::usage::Watched;

/// Number of tasks per client that are updated; no two clients share a task.
const TASKS: usize = 8;
/// Connections of an engine: one appends for all commands, the others load.
const CONNECTIONS: u32 = 8;
/// Connections of postgres-es, in which every command is a transaction of its own.
const ITS_CONNECTIONS: u32 = 32;

/// A target that executes commands.
pub trait Takes: Clone + Send + Sync + 'static {
    fn create(&self, task: TaskId, title: String) -> impl Future<Output = anyhow::Result<()>> + Send;
    fn rename(&self, task: TaskId, title: String) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// The engine of the command-api, without HTTP.
#[derive(Clone)]
struct Ours {
    engine: Engine,
    actor: UserId,
    project: ProjectId,
}

impl Ours {
    /// Creates an engine with a project, and a committer that ends with the engine.
    async fn new(system: &System) -> anyhow::Result<Self> {
        let engine = engine(system).await?;
        let ours = Self { engine, actor: UserId(clock().new_id()), project: ProjectId(clock().new_id()) };
        let new = ProjectCommand::Create(serde_json::from_value(json!({"name": "Bench"}))?);
        ours.engine.project(ours.project, new, ours.envelope(None)).await?;
        Ok(ours)
    }

    fn envelope(&self, project: Option<ProjectId>) -> Envelope {
        Envelope { project_id: project, ..Envelope::new(self.actor, clock().new_id()) }
    }
}

/// Creates another engine on the log, which shares only the database with the others.
async fn engine(system: &System) -> anyhow::Result<Engine> {
    let pool = role_pool(&system.database_url()?, DatabaseRole::Command, CONNECTIONS).await?;
    let log = taskfold_event_log::identity(&pool).await?;
    let (engine, committing) = Engine::new(pool, watch::channel(log).1, Writes::default(), clock().clone());
    tokio::spawn(committing);
    Ok(engine)
}

impl Takes for Ours {
    async fn create(&self, task: TaskId, title: String) -> anyhow::Result<()> {
        self.engine.task(task, create(title)?, self.envelope(Some(self.project))).await?;
        Ok(())
    }

    async fn rename(&self, task: TaskId, title: String) -> anyhow::Result<()> {
        self.engine.task(task, rename(title)?, self.envelope(None)).await?;
        Ok(())
    }
}

pub fn create(title: String) -> anyhow::Result<TaskCommand> {
    Ok(TaskCommand::Create(serde_json::from_value(json!({"title": title}))?))
}

pub fn rename(title: String) -> anyhow::Result<TaskCommand> {
    Ok(TaskCommand::Edit(serde_json::from_value(json!({"title": title}))?))
}

/// Result of one measurement.
struct Measured {
    rate: f64,
    p99_ms: f64,
    /// CPU seconds of this process per command.
    cpu: f64,
}

pub async fn run(clients: &[usize], seconds: u64, runs: usize) -> anyhow::Result<Value> {
    let system = System::start().await?;
    let floor = Floor::new(&system).await?;
    let ours = Ours::new(&system).await?;
    let project: Arc<Project> = ours.engine.load_project(ours.project).await?;
    let peer = PostgresEs::new(&system, (*project).clone(), ours.actor, ITS_CONNECTIONS).await?;

    println!("commands/s in process, nothing projected; median (least to greatest) of {runs} runs of {seconds} s");
    println!(
        "clients | pgbench rows/s | create/s | ratio | p99 ms | CPU µs | update/s | ratio | p99 ms | CPU µs | \
         postgres-es create/s | update/s | ours / its"
    );
    let mut by_clients = Vec::new();
    for &clients in clients {
        let mut floors = Vec::new();
        let [mut creates, mut updates, mut its_creates, mut its_updates] = [const { Vec::new() }; 4];
        for _ in 0..runs {
            floors.push(floor.measure(clients, seconds).await?);
            creates.push(creating(&ours, clients, seconds).await?);
            updates.push(renaming(&ours, clients, seconds).await?);
            its_creates.push(creating(&peer, clients, seconds).await?);
            its_updates.push(renaming(&peer, clients, seconds).await?);
        }
        print!("{clients} | {}", spread(&floors, 0));
        let (create, update) = (print_row(&creates, &floors), print_row(&updates, &floors));
        let its = [rates(&its_creates), rates(&its_updates)];
        let of = |ours: &[Measured], its: &[f64]| median(rates(ours)) / median(its.to_vec());
        let (creates, updates) = (of(&creates, &its[0]), of(&updates, &its[1]));
        println!(" | {} | {} | {creates:.1}, {updates:.1}", spread(&its[0], 0), spread(&its[1], 0));
        by_clients.push(json!({
            "clients": clients, "pgbench_rows_per_second": figure(&floors), "create": create, "update": update,
            "postgres_es_creates_per_second": figure(&its[0]), "postgres_es_updates_per_second": figure(&its[1]),
        }));
    }
    let spots = contention::spots(&ours, seconds, runs).await?;
    let engines = contention::engines(&system, seconds, runs).await?;
    drop((ours, peer, floor));
    system.stop().await?;
    Ok(json!({"by_clients": by_clients, "spots": spots, "engines": engines}))
}

fn rates(measured: &[Measured]) -> Vec<f64> {
    measured.iter().map(|m| m.rate).collect()
}

/// Prints the results on the same line as the floor.
fn print_row(measured: &[Measured], floors: &[f64]) -> Value {
    let rates = rates(measured);
    let ratios: Vec<f64> = rates.iter().zip(floors).map(|(rate, floor)| rate / floor).collect();
    let p99: Vec<f64> = measured.iter().map(|m| m.p99_ms).collect();
    let cpu: Vec<f64> = measured.iter().map(|m| m.cpu * 1e6).collect();
    let (p99_ms, cpu_us) = (median(p99.clone()), median(cpu.clone()));
    print!(" | {} | {} | {p99_ms:.2} | {cpu_us:.0}", spread(&rates, 0), spread(&ratios, 2));
    json!({
        "commands_per_second": figure(&rates), "ratio_to_pgbench": figure(&ratios), "p99_ms": figure(&p99),
        "cpu_us_per_command": figure(&cpu),
    })
}

async fn creating(takes: &impl Takes, clients: usize, seconds: u64) -> anyhow::Result<Measured> {
    let takes = takes.clone();
    let create = move |_| {
        let takes = takes.clone();
        async move { takes.create(TaskId(clock().new_id()), "created by the load program".to_owned()).await }
    };
    measure(clients, seconds, create).await
}

async fn renaming(takes: &impl Takes, clients: usize, seconds: u64) -> anyhow::Result<Measured> {
    let tasks: Vec<TaskId> = (0..clients * TASKS).map(|_| TaskId(clock().new_id())).collect();
    try_join_all(tasks.iter().map(|task| takes.create(*task, "to be renamed".to_owned()))).await?;
    let takes = takes.clone();
    let rename = move |n: usize| {
        let (takes, task) = (takes.clone(), tasks[n % tasks.len()]);
        async move { takes.rename(task, format!("renamed {n}")).await }
    };
    measure(clients, seconds, rename).await
}

/// Runs clients that send one command after the other.
async fn measure<F>(
    clients: usize,
    seconds: u64,
    command: impl Fn(usize) -> F + Clone + Send + 'static,
) -> anyhow::Result<Measured>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let this = Watched::new([("this".to_owned(), std::process::id())]);
    let before = this.cpu()?;
    let clients::Measured { rate, latencies } = clients::measure_tasks(clients, seconds, command).await?;
    let cpu = this.cpu()?.since(&before).iter().map(|(_, used)| used).sum::<f64>() / latencies.len() as f64;
    Ok(Measured { rate, p99_ms: millis(percentile(&latencies, 0.99)), cpu })
}
