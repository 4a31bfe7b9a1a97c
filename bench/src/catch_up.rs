//! Measures the events per second of a projector that works through a backlog.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::client::Client;
use crate::system::System;

const CLIENTS: usize = 64;

pub async fn run(events: usize) -> anyhow::Result<Value> {
    let system = System::start().await?;
    let api = system.role("command-api").await?;
    let (someone, project) = api.someone().await?;
    let (address, token, project) = (&api.address, &someone.token, &project);
    let filling = (0..CLIENTS).map(|_| async move {
        let mut client = Client::connect(address, token).await?;
        for n in 0..events / CLIENTS {
            let body =
                json!({"title": format!("task {n}"), "description": "A line that says a little more."}).to_string();
            client.send("POST", &format!("/v1/projects/{project}/tasks"), body).await?;
        }
        anyhow::Ok(())
    });
    try_join_all(filling).await?;

    let pool = PgPool::connect(&system.database_url()?).await?;
    let head: i64 = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&pool).await?;
    let began = Instant::now();
    let projector = system.role("projector").await?;
    let (mut projected, mut published) = (None, None);
    while projected.is_none() || published.is_none() {
        let mut client = Client::connect(&projector.address, "").await?;
        let metrics = client.send("GET", "/metrics", String::new()).await?;
        let metrics = String::from_utf8_lossy(&metrics).into_owned();
        let reached = |name: &str| {
            let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
            value.is_some_and(|position| position >= head as f64).then(|| began.elapsed())
        };
        projected = projected.or_else(|| reached("taskfold_projected_position "));
        published = published.or_else(|| reached("taskfold_published_position "));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let rate = |took: Option<Duration>| head as f64 / took.unwrap_or_default().as_secs_f64();
    println!("a backlog of {head} events, from the projector's start:");
    let (projected, published) = (rate(projected), rate(published));
    println!("read tables {projected:.0} events/s, published on JetStream {published:.0} events/s");
    drop((projector, api));
    pool.close().await;
    system.stop().await?;
    Ok(json!({"events": head, "projected_per_second": projected, "published_per_second": published}))
}
