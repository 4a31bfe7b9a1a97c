//! Measures the import of a Trello board.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sqlx::PgPool;

use crate::client::text;
use crate::statistics::spread;
use crate::system::System;

const RUNS: usize = 3;

pub async fn run(file: &Path) -> anyhow::Result<()> {
    let board = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let (mut times, mut rates) = (Vec::new(), Vec::new());
    let mut events = 0;
    for _ in 0..RUNS {
        let system = System::start().await?;
        let api = system.role("all").await?;
        let (mut someone, _) = api.someone().await?;
        let began = Instant::now();
        let import = someone.json("POST", "/v1/imports?format=trello", board.clone()).await?;
        let path = format!("/v1/imports/{}", text(&import, "id")?);
        loop {
            let import = someone.json("GET", &path, String::new()).await?;
            match text(&import, "state")? {
                "done" => break,
                state => ensure!(state != "failed", "the import failed: {import}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let took = began.elapsed().as_secs_f64();
        let pool = PgPool::connect(&system.database_url()?).await?;
        let head: i64 = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&pool).await?;
        pool.close().await;
        // One event is the project that every run creates.
        events = head - 1;
        times.push(took);
        rates.push(events as f64 / took);
        drop(api);
        system.stop().await?;
    }
    println!("import of {} events, {RUNS} runs: {} s, {} events/s", events, spread(&times, 2), spread(&rates, 0));
    Ok(())
}
