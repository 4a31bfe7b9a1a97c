use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::client::Client;
use crate::figures::{millis, percentile};
use crate::system::System;

/// When each title was sent; a frame names its title.
type Sent = Arc<Mutex<HashMap<usize, Instant>>>;

pub async fn run(listeners: usize, seconds: u64, rate: u32) -> anyhow::Result<()> {
    let commands = usize::try_from(seconds)? * usize::try_from(rate)?;
    let system = System::start().await?;
    let api = system.role("all").await?;
    let (mut someone, project) = api.someone().await?;
    while someone.send("GET", &format!("/v1/projects/{project}"), String::new()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sent: Sent = Arc::default();
    let listening = (0..listeners).map(|_| {
        let (address, token, sent) = (api.address.clone(), someone.token.clone(), Arc::clone(&sent));
        let path = format!("/v1/projects/{project}/events/stream");
        tokio::spawn(async move {
            let mut client = Client::connect(&address, &token).await?;
            listen(&mut client, &path, commands, &sent).await
        })
    });
    let listening: Vec<_> = listening.collect();
    // Streams without `since` begin now: all must be open before the first command.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    for n in 0..commands {
        ticks.tick().await;
        sent.lock().unwrap_or_else(PoisonError::into_inner).insert(n, Instant::now());
        let body = json!({"title": format!("#{n}#")}).to_string();
        someone.send("POST", &format!("/v1/projects/{project}/tasks"), body).await?;
    }
    let received = tokio::time::timeout(Duration::from_secs(30), try_join_all(listening))
        .await
        .context("frames are missing")??;
    let mut latencies = Vec::new();
    for listener in received {
        latencies.extend(listener?);
    }
    ensure!(latencies.len() == commands * listeners, "{} of {} frames", latencies.len(), commands * listeners);
    latencies.sort_unstable();
    println!(
        "command sent -> SSE frame received: {listeners} listeners, {rate} commands/s for {seconds} s, no gap, no duplicate"
    );
    println!("p50 ms | p90 ms | p99 ms | max ms");
    let at = |share| millis(percentile(&latencies, share));
    println!("{} | {} | {} | {}", at(0.5), at(0.9), at(0.99), at(1.0));
    drop(api);
    system.stop().await
}

/// Reads until the last command's frame has come; each must be the next one.
async fn listen(client: &mut Client, path: &str, commands: usize, sent: &Sent) -> anyhow::Result<Vec<Duration>> {
    let mut body = client.open("GET", path, String::new()).await?.into_body();
    let mut text = String::new();
    let mut latencies = Vec::with_capacity(commands);
    while latencies.len() < commands {
        let chunk = body.frame().await.context("the stream ended")??;
        let received = Instant::now();
        text.push_str(std::str::from_utf8(chunk.data_ref().map_or(&[][..], |data| &data[..]))?);
        while let Some(end) = text.find("\n\n") {
            let frame: String = text.drain(..end + 2).collect();
            let Some(n) = frame.split("\"#").nth(1).and_then(|rest| rest.split("#\"").next()) else { continue };
            let n: usize = n.parse()?;
            ensure!(n == latencies.len(), "frame {n} came in place of {}", latencies.len());
            let at = *sent.lock().unwrap_or_else(PoisonError::into_inner).get(&n).context("was never sent")?;
            latencies.push(received - at);
        }
    }
    Ok(latencies)
}
