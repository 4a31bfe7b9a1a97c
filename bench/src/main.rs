//! Measures Taskfold through HTTP, with every command durable, compared with PostgreSQL alone on the same machine in
//! the same run.

/// Uploads and downloads of a large file, compared with a plain copy.
mod attachments;
/// Rate of the projector with a backlog.
mod catch_up;
/// One HTTP connection.
mod client;
/// Clients that send one request after the other.
mod clients;
/// Time and ids of the load programs.
mod clock;
/// Commands per second, compared with pgbench.
mod commands;
/// Commands per second without HTTP, compared with pgbench and postgres-es.
mod engine;
/// The floor: pgbench inserting one row at a time.
mod floor;
/// The same operations with a short and with a long log.
mod growth;
/// A log with a long history.
mod history;
/// Clients that misbehave.
mod hostile;
/// Import of a Trello board.
mod import;
/// Tens of thousands of SSE clients.
mod listeners;
/// Time from sending a command to receiving its frame.
mod live;
/// Memory of each role.
mod memory;
/// Live streams from memory, without a database.
mod memory_server;
/// A clock that all processes share.
mod monotonic;
/// A long log made by copying a short one.
mod multiply;
/// Live streams by nginx.
mod nchan;
/// Projects and their listeners.
mod projects;
/// Commands at a constant rate.
mod publisher;
/// Rebuild of the read tables while a person works.
mod rebuild;
/// Stages between a command and its frame.
mod stages;
/// A client that was disconnected for a million events.
mod stale;
/// Medians, percentiles and ranges.
mod statistics;
/// Instances that stop, and listeners that reconnect.
mod storm;
/// The system under test.
mod system;
/// CPU and memory of processes.
mod usage;
/// Boards, lists, searches and notifications of a large database, compared with pgbench.
mod views;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::hostile::Hostile;
use crate::live::Live;
use crate::stale::Stale;
use crate::storm::Storm;

#[derive(Parser)]
#[command(about = "Measures Taskfold. Build it first: cargo build --release -p taskfold -p taskfold-bench")]
struct Cli {
    /// Writes the results into this file too, each figure as its median and the values of all runs (attachments and
    /// import have none)
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Commands per second through HTTP, create and update, as a ratio to pgbench inserting one row at a time
    Commands {
        #[arg(long, value_delimiter = ',', default_value = "1,8,32,128")]
        clients: Vec<usize>,
        /// Seconds of each measurement
        #[arg(long, default_value = "4")]
        seconds: u64,
        #[arg(long, default_value = "3")]
        runs: usize,
    },
    /// Commands per second in process, without HTTP and projections, as a ratio to pgbench inserting one row at a time,
    /// and the same aggregates on unmodified postgres-es
    Engine {
        #[arg(long, value_delimiter = ',', default_value = "1,8,32,128")]
        clients: Vec<usize>,
        /// Seconds of each measurement
        #[arg(long, default_value = "3")]
        seconds: u64,
        #[arg(long, default_value = "3")]
        runs: usize,
    },
    /// Time from sending a command to receiving its SSE frame at many listeners, with each position checked, as a ratio
    /// to a server that has the same frames in memory
    Live(Live),
    /// One client that is a million events behind: time until it has caught up, and the server's memory
    Stale(Stale),
    /// Restarts the two instances that serve all listeners, one after the other, while commands are sent: time until
    /// all listeners have the whole log again, and the longest time without a connection
    Storm(Storm),
    /// The latencies of `live` while other clients never read, read one byte per second, send nothing, reconnect in a
    /// tight loop and request too much, as a ratio to a calm run
    Hostile(Hostile),
    /// Import of a Trello board
    Import { file: PathBuf },
    /// MB/s of uploading and downloading a large file, as a ratio to a server that only copies it to a file and back
    Attachments {
        #[arg(long, default_value = "256")]
        mebibytes: usize,
    },
    /// Board window, list, search and notifications of a large database through HTTP, as a ratio to pgbench running the
    /// same SQL, and the cost of row-level security
    Views {
        #[arg(long, default_value = "32")]
        clients: usize,
        /// Seconds of each measurement
        #[arg(long, default_value = "4")]
        seconds: u64,
        #[arg(long, default_value = "3")]
        runs: usize,
    },
    /// Events per second of a projector that has a backlog
    CatchUp {
        #[arg(long, default_value = "20000")]
        events: usize,
    },
    /// `taskfold rebuild` of a long log while a person works: its duration and memory, and the latencies that the
    /// person sees
    Rebuild {
        #[arg(long, default_value = "1000000")]
        events: i64,
        #[arg(long, default_value = "3")]
        runs: usize,
    },
    /// Memory of each role, idle and under load
    Memory {
        #[arg(long, default_value = "10")]
        seconds: u64,
        #[arg(long, default_value = "3")]
        runs: usize,
    },
    /// Commands and reads with a log of each of these sizes, as a ratio to pgbench inserting one row at a time, and the
    /// disk usage of the log and its indexes
    Growth {
        #[arg(long, value_delimiter = ',', default_value = "10000,1000000,10000000")]
        events: Vec<i64>,
        #[arg(long, default_value = "32")]
        clients: usize,
        /// Seconds of each measurement
        #[arg(long, default_value = "2")]
        seconds: u64,
        #[arg(long, default_value = "3")]
        runs: usize,
    },
    /// Holds the listeners of one server
    #[command(hide = true)]
    ListenerProcess,
    /// The floor of `live`
    #[command(hide = true)]
    MemoryServer {
        #[arg(long)]
        listen: String,
    },
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    taskfold::server::raise_open_files_limit();
    let measured = runtime(&cli.what)?.block_on(measure(cli.what))?;
    if let Some(file) = cli.json {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let text = serde_json::to_string_pretty(&json!({"arguments": arguments, "measured": measured}))?;
        std::fs::write(&file, text + "\n").with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

/// Clients of a server need only one thread, and each switch to another thread would be counted against the server.
fn runtime(what: &What) -> std::io::Result<Runtime> {
    match what {
        What::Commands { .. } | What::Views { .. } | What::Growth { .. } | What::Memory { .. } => {
            Builder::new_current_thread().enable_all().build()
        }
        _ => Runtime::new(),
    }
}

/// Runs a measurement and prints it; returns the statistics as JSON.
async fn measure(what: What) -> anyhow::Result<Value> {
    match what {
        What::Engine { clients, seconds, runs } => engine::run(&clients, seconds, runs).await,
        What::Commands { clients, seconds, runs } => commands::run(&clients, seconds, runs).await,
        What::Live(live) => live::run(&live).await,
        What::Hostile(hostile) => hostile::run(&hostile).await,
        What::Stale(stale) => stale::run(&stale).await,
        What::Storm(storm) => storm::run(&storm).await,
        What::Views { clients, seconds, runs } => views::run(clients, seconds, runs).await,
        What::CatchUp { events } => catch_up::run(events).await,
        What::Rebuild { events, runs } => rebuild::run(events, runs).await,
        What::Memory { seconds, runs } => memory::run(seconds, runs).await,
        What::Growth { events, clients, seconds, runs } => growth::run(&events, clients, seconds, runs).await,
        What::Import { file } => import::run(&file).await.map(|()| Value::Null),
        What::Attachments { mebibytes } => attachments::run(mebibytes).await.map(|()| Value::Null),
        What::ListenerProcess => listeners::child_process::run().map(|()| Value::Null),
        What::MemoryServer { listen } => memory_server::run(&listen).await.map(|()| Value::Null),
    }
}
