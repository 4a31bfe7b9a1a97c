//! A downstream service: reads a board over REST, then follows the project on NATS from exactly there, and prints what
//! comes. Nothing is missed and nothing is seen twice, because the position of the read is the stream's sequence.
//!
//!     cargo run --example follow -- http://127.0.0.1:8080 TOKEN PROJECT_ID nats://127.0.0.1:4222

use anyhow::Context as _;
use async_nats::jetstream::{self, consumer};
use futures::StreamExt as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, token, project, nats_url] = arguments.as_slice() else {
        anyhow::bail!("usage: follow SERVER TOKEN PROJECT_ID NATS_URL");
    };

    // The state to begin with, and the position it reflects.
    let url = format!("{server}/v1/projects/{project}/board");
    let answer = reqwest::Client::new().get(url).bearer_auth(token).send().await?.error_for_status()?;
    let position: u64 =
        answer.headers().get("taskfold-position").context("the server told no position")?.to_str()?.parse()?;
    let board: serde_json::Value = answer.json().await?;
    for column in board["columns"].as_array().into_iter().flatten() {
        println!("{}: {} tasks", column["name"], column["tasks"].as_array().map_or(0, Vec::len));
    }
    println!("-- at position {position}, following --");

    // The next message is the next position.
    let nats = async_nats::connect(nats_url).await?;
    let stream = jetstream::new(nats).get_stream("TASKFOLD").await?;
    let consumer = stream
        .create_consumer(consumer::pull::OrderedConfig {
            filter_subject: format!("taskfold.events.{project}.>"),
            deliver_policy: consumer::DeliverPolicy::ByStartSequence { start_sequence: position + 1 },
            ..Default::default()
        })
        .await?;
    let mut messages = consumer.messages().await?;
    while let Some(message) = messages.next().await {
        let change: serde_json::Value = serde_json::from_slice(&message?.payload)?;
        println!("{} {} {}", change["position"], change["type"], change["changes"]);
    }
    Ok(())
}
