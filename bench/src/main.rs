//! Measures Taskfold from outside, through HTTP, with every command durable, beside what PostgreSQL itself can do on
//! the same machine in the same run.

/// A large file up and down, beside a plain copy.
mod attachments;
/// How fast the projector gets through a backlog.
mod catch_up;
/// One HTTP connection.
mod client;
/// Clients that ask one thing after the other.
mod clients;
/// Commands a second, beside pgbench.
mod commands;
/// Commands a second without HTTP, beside pgbench and postgres-es.
mod engine;
/// Medians, percentiles, spread.
mod figures;
/// The floor: pgbench inserting one row at a time.
mod floor;
/// The same doings with a short and with a long log.
mod growth;
/// A log with a past.
mod history;
/// Clients that misbehave.
mod hostile;
/// A Trello board, from upload to done.
mod import;
/// SSE clients by the ten thousand.
mod listeners;
/// From a command sent to its frame received.
mod live;
/// What each role has in memory.
mod memory;
/// Live streams without anything behind them.
mod memory_server;
/// One clock for all processes.
mod moment;
/// A long log made of a short one.
mod multiply;
/// Live streams by nginx.
mod nchan;
/// Commands at a constant rate.
mod publisher;
/// Read tables anew, while somebody works.
mod rebuild;
/// Who listens to what.
mod rooms;
/// Where the time goes.
mod stages;
/// A client that was away for a million events.
mod stale;
/// Instances go away, and their listeners come back.
mod storm;
/// The system under test.
mod system;
/// CPU and memory of processes.
mod usage;
/// Boards, lists, searches and notifications of a large database, beside pgbench.
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
    /// Writes what was measured into this file too, each figure as its median and the values of all runs (attachments
    /// and import have none)
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Commands a second through HTTP, create and update, as a ratio to pgbench inserting one row at a time
    Commands {
        #[arg(long, value_delimiter = ',', default_value = "1,8,32,128")]
        clients: Vec<usize>,
        /// Of each measurement
        #[arg(long, default_value = "4")]
        seconds: u64,
        #[arg(long, default_value = "3")]
        runs: usize,
    },
    /// Commands a second in process, without HTTP and projections, as a ratio to pgbench inserting one row at a time,
    /// and the same aggregates on postgres-es as it is
    Engine {
        #[arg(long, value_delimiter = ',', default_value = "1,8,32,128")]
        clients: Vec<usize>,
        /// Of each measurement
        #[arg(long, default_value = "3")]
        seconds: u64,
        #[arg(long, default_value = "3")]
        runs: usize,
    },
    /// From a command sent to its SSE frame received at many listeners, each position checked, as a ratio to a server
    /// that has the same frames in memory
    Live(Live),
    /// One client that is a million events behind: how fast it gets there, and the server's memory
    Stale(Stale),
    /// Two instances that serve all listeners are restarted one after the other while commands flow: how long until all
    /// listeners have all of the log again, and how long anybody is without a connection
    Storm(Storm),
    /// The latencies of `live` while other clients never read, read a byte a second, send nothing, reconnect in a tight
    /// loop and ask for too much, as a ratio to a calm run
    Hostile(Hostile),
    /// Importing a Trello board
    Import { file: PathBuf },
    /// MB/s of a large file up and down, as a ratio to a server that only copies it to a file and back
    Attachments {
        #[arg(long, default_value = "256")]
        mebibytes: usize,
    },
    /// Board window, list, search and notifications of a large database through HTTP, as a ratio to pgbench running the
    /// same SQL, and what row-level security costs
    Views {
        #[arg(long, default_value = "32")]
        clients: usize,
        /// Of each measurement
        #[arg(long, default_value = "4")]
        seconds: u64,
        #[arg(long, default_value = "3")]
        runs: usize,
    },
    /// Events a second of a projector that has a backlog
    CatchUp {
        #[arg(long, default_value = "20000")]
        events: usize,
    },
    /// `taskfold rebuild` of a long log while somebody works: how long it takes, its memory, and what they notice
    Rebuild {
        #[arg(long, default_value = "1000000")]
        events: i64,
        #[arg(long, default_value = "3")]
        runs: usize,
    },
    /// What each role has in memory, with nothing to do and with a lot to do
    Memory {
        #[arg(long, default_value = "10")]
        seconds: u64,
        #[arg(long, default_value = "3")]
        runs: usize,
    },
    /// Commands and reads with a log of each of these sizes, as a ratio to pgbench inserting one row at a time, and
    /// what the log and its indexes take on disk
    Growth {
        #[arg(long, value_delimiter = ',', default_value = "10000,1000000,10000000")]
        events: Vec<i64>,
        #[arg(long, default_value = "32")]
        clients: usize,
        /// Of each measurement
        #[arg(long, default_value = "2")]
        seconds: u64,
        #[arg(long, default_value = "3")]
        runs: usize,
    },
    /// Holds the listeners of one server
    #[command(hide = true)]
    Holder,
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

/// Clients of a server need no more than one thread, and each hop to another one would be charged to the server.
fn runtime(what: &What) -> std::io::Result<Runtime> {
    match what {
        What::Commands { .. } | What::Views { .. } | What::Growth { .. } | What::Memory { .. } => {
            Builder::new_current_thread().enable_all().build()
        }
        _ => Runtime::new(),
    }
}

/// Measures, and prints it; the figures again, for machines.
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
        What::Holder => listeners::holder::run().map(|()| Value::Null),
        What::MemoryServer { listen } => memory_server::run(&listen).await.map(|()| Value::Null),
    }
}
