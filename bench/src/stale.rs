//! Measures a client that reconnects after a million events: the time until it has caught up, and the server's memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::history;
use crate::listeners::{Channel, ExpectedPositions, Listener, Listeners, Plan, Reconnect, sockets};
use crate::projects::{Audience, Projects};
use crate::publisher::{How, Publisher};
use crate::system::{Process, System};
use crate::usage::{kib, memory, peak_memory};

/// Time limit for a client to catch up.
const LIMIT: Duration = Duration::from_secs(3600);

#[derive(Args, Clone, Debug)]
pub struct Stale {
    /// Events in the log
    #[arg(long, default_value = "1000000")]
    events: i64,
    /// Projects that the events are distributed over; the client follows one
    #[arg(long, default_value = "1")]
    projects: usize,
    /// Commands per second during the measurement
    #[arg(long, default_value = "10")]
    rate: u32,
}

/// Result of one way of catching up.
struct CatchUp {
    how: &'static str,
    events: u64,
    took: Duration,
    /// Memory of the query-api in bytes.
    before: u64,
    peak: u64,
}

pub async fn run(stale: &Stale) -> anyhow::Result<Value> {
    let system = System::start().await?;
    let (commands, projector) = (system.role("command-api").await?, system.role("projector").await?);
    let reads = system.role("query-api").await?;
    let audience = Audience {
        listeners: 1,
        projects: stale.projects,
        projects_per_stream: None,
        per_user: 0,
        connecting: 1,
        threads: 1,
    };
    let projects = Projects::make(&commands.address, &reads.address, &audience).await?;
    let history = history::write(&system.database_url()?, &commands, &projector, &projects, stale.events).await?;
    let head = history.head;
    println!(
        "a log of {head} events in {} projects, written in {:.0} s, projected and published in {:.0} s more; {} commands/s meanwhile",
        stale.projects,
        history.writing.as_secs_f64(),
        history.projecting.as_secs_f64(),
        stale.rate
    );
    println!("client | events | s | events/s | MiB before | MiB at most");
    let by_stream = by_stream(stale, &system, (&commands, &reads), &projects, head).await?;
    by_stream.print_row();
    let by_pages = by_pages(&reads, &projects, head).await?;
    by_pages.print_row();
    drop((reads, projector, commands));
    system.stop().await?;
    Ok(json!({"events": head, "projects": stale.projects, "clients": [by_stream.json(), by_pages.json()]}))
}

/// Catches up by a stream from the very beginning, while new events are appended.
async fn by_stream(
    stale: &Stale,
    system: &System,
    (commands, reads): (&Process, &Process),
    projects: &Projects,
    head: i64,
) -> anyhow::Result<CatchUp> {
    let publisher = Publisher::new(&commands.address, &projects.tokens[0], &projects.list, How::Rename);
    let enough = CancellationToken::new();
    let publishing = tokio::spawn({
        let (publisher, rate, enough) = (Arc::clone(&publisher), stale.rate, enough.clone());
        async move { publisher.run(rate, usize::MAX, enough).await }
    });
    let project = &projects.list[0].id;
    let before = memory(reads.pid())?;
    let began = Instant::now();
    let path = format!("/v1/projects/{project}/events/stream?since=0");
    let listeners = Listeners::start(Plan {
        addresses: vec![reads.address.parse()?],
        channels: vec![Channel { path, projects: vec![0] }],
        tokens: projects.tokens.clone(),
        listeners: vec![Listener { channel: 0, token: 0, from: sockets::address_of(0) }],
        at_once: 1,
        threads: 1,
        reconnect: Reconnect::Never,
    })?;
    let (reached, peak) = peak_memory(reads.pid(), until(&listeners, u64::try_from(head)?)).await?;
    reached?;
    let took = began.elapsed();
    let events = listeners.changes();
    enough.cancel();
    publishing.await??;
    // Exact check: every position of the project in the log, each once.
    let pool = PgPool::connect(&system.database_url()?).await?;
    let positions: Vec<i64> =
        sqlx::query_scalar("SELECT position FROM events WHERE project_id = $1::uuid ORDER BY position")
            .bind(&**project)
            .fetch_all(&pool)
            .await?;
    pool.close().await;
    let last = positions.last().copied().context("an empty log")?;
    until(&listeners, u64::try_from(last)?).await?;
    let report = listeners.report()?;
    let expected = ExpectedPositions::new(positions.into_iter().filter_map(|p| u64::try_from(p).ok()).collect());
    let (_, received) = report.received.first().context("no listener")?;
    let (lost, doubled) = (expected.missing(received), received.doubled);
    ensure!(lost + doubled == 0, "{lost} frames lost, {doubled} doubled");
    Ok(CatchUp { how: "stream since=0", events, took, before, peak })
}

async fn until(listeners: &Listeners, position: u64) -> anyhow::Result<()> {
    let began = Instant::now();
    while listeners.reached(vec![position])? == 0 {
        listeners.check()?;
        ensure!(began.elapsed() < LIMIT, "{} frames came in {LIMIT:?}", listeners.changes());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Catches up page by page with REST, up to `head`.
async fn by_pages(reads: &Process, projects: &Projects, head: i64) -> anyhow::Result<CatchUp> {
    let mut client = Client::connect(&reads.address, &projects.tokens[0]).await?;
    let before = memory(reads.pid())?;
    let walk = async {
        let (mut since, mut events, mut took) = (0, 0, Duration::ZERO);
        while since < head {
            let path = format!("/v1/projects/{}/events?since={since}&limit=1000", projects.list[0].id);
            let asked = Instant::now();
            let page = client.send("GET", &path, String::new()).await?;
            // Parsing is not counted as the server's time.
            took += asked.elapsed();
            let page: Value = serde_json::from_slice(&page)?;
            events += page["events"].as_array().context("no events")?.len() as u64;
            since = page["next"].as_i64().context("no next")?;
        }
        anyhow::Ok((events, took))
    };
    let (walked, peak) = peak_memory(reads.pid(), walk).await?;
    let (events, took) = walked?;
    Ok(CatchUp { how: "pages of 1000", events, took, before, peak })
}

impl CatchUp {
    fn rate(&self) -> f64 {
        self.events as f64 / self.took.as_secs_f64()
    }

    fn print_row(&self) {
        let mib = |bytes| kib(bytes) / 1024.0;
        println!(
            "{} | {} | {:.1} | {:.0} | {:.1} | {:.1}",
            self.how,
            self.events,
            self.took.as_secs_f64(),
            self.rate(),
            mib(self.before),
            mib(self.peak)
        );
    }

    fn json(&self) -> Value {
        json!({
            "client": self.how, "events": self.events, "seconds": self.took.as_secs_f64(), "events_per_second": self.rate(),
            "bytes_before": self.before, "bytes_peak": self.peak,
        })
    }
}
