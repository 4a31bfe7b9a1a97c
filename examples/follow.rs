//! A downstream service: reads a board over REST, then follows the project on NATS from exactly that position, and
//! prints each Change. No Change is missed or repeated, because the position of the read is the stream's sequence.
//!
//! A log that was restored from a backup and adopted has another id: Changes after the fork position are void. The
//! service undoes what it did for them, reads the board again, and continues.
//!
//!     cargo run --example follow -- http://127.0.0.1:8080 TOKEN PROJECT_ID nats://127.0.0.1:4222

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::{self, consumer};
use futures::StreamExt as _;
use serde_json::Value;

/// Interval of checks that the log is still the same. The notification is faster, and may be missed.
const ASK_EVERY: Duration = Duration::from_secs(5);

struct Follower {
    board: String,
    token: String,
    stream: String,
    /// NATS subjects.
    adopted: String,
    events: String,
    nats: async_nats::Client,
    http: reqwest::Client,
    /// Completed work, so that it can be undone: here it is only printed.
    done: BTreeMap<u64, String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, token, project, nats_url, stream @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: follow SERVER TOKEN PROJECT_ID NATS_URL [STREAM]");
    };
    let stream = stream.first().map_or("TASKFOLD", String::as_str);
    let mut follower = Follower {
        board: format!("{server}/v1/projects/{project}/board"),
        token: token.clone(),
        stream: stream.to_owned(),
        adopted: format!("{}.log.adopted", stream.to_lowercase()),
        events: format!("{}.events.{project}.>", stream.to_lowercase()),
        nats: async_nats::connect(nats_url).await?,
        http: reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?,
        done: BTreeMap::new(),
    };
    let mut known = None;
    loop {
        let log = match follower.follow(known.as_deref()).await {
            Ok(log) => log,
            Err(error) => {
                println!("-- trying again: {error:#} --");
                known
            }
        };
        known = log;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

impl Follower {
    /// Follows the log until its id changes. Returns the id of the log that was followed; `known` is that of the
    /// previous log.
    async fn follow(&mut self, known: Option<&str>) -> anyhow::Result<Option<String>> {
        self.take_back(known).await?;

        // The initial state, the position that it reflects, and the id of the log.
        let answer = self.http.get(&self.board).bearer_auth(&self.token).send().await?.error_for_status()?;
        let header = |name| Some(answer.headers().get(name)?.to_str().ok()?.to_owned());
        let position: u64 = header("taskfold-position").context("the server told no position")?.parse()?;
        let log = header("taskfold-log").context("the server told no log")?;
        let board: Value = answer.json().await?;
        for column in board["columns"].as_array().into_iter().flatten() {
            println!("{}: {} tasks", column["name"], column["tasks"].as_array().map_or(0, Vec::len));
        }
        println!("-- at position {position} of the log {log}, following --");

        // The next message is the next position.
        let mut adopted = self.nats.subscribe(self.adopted.clone()).await?;
        let mut stream = jetstream::new(self.nats.clone()).get_stream(&self.stream).await?;
        let consumer = stream
            .create_consumer(consumer::pull::OrderedConfig {
                filter_subject: self.events.clone(),
                deliver_policy: consumer::DeliverPolicy::ByStartSequence { start_sequence: position + 1 },
                ..Default::default()
            })
            .await?;
        let mut messages = consumer.messages().await?;
        let mut asking = tokio::time::interval(ASK_EVERY);
        loop {
            tokio::select! {
                message = messages.next() => {
                    let message = message.context("the consumer has ended")??;
                    let of = message.headers.as_ref().and_then(|headers| headers.get("ce-taskfoldlog"));
                    if of.is_some_and(|of| of.as_str() != log) {
                        return Ok(Some(log));
                    }
                    let change: Value = serde_json::from_slice(&message.payload)?;
                    let position = change["position"].as_u64().context("a Change without a position")?;
                    println!("{position} {} {}", change["type"], change["changes"]);
                    self.done.insert(position, change["type"].to_string());
                }
                _ = adopted.next() => return Ok(Some(log)),
                _ = asking.tick() => {
                    let of = stream.info().await?.config.metadata.get("taskfold-log");
                    if of.is_some_and(|of| *of != log) {
                        return Ok(Some(log));
                    }
                }
            }
        }
    }

    /// A request with the id of an earlier log is refused with 410, and told the position up to which both logs are the
    /// same.
    async fn take_back(&mut self, known: Option<&str>) -> anyhow::Result<()> {
        let Some(known) = known else { return Ok(()) };
        let request = self.http.get(&self.board).bearer_auth(&self.token).header("Taskfold-Log", known);
        let answer = request.send().await?;
        if answer.status() == reqwest::StatusCode::GONE {
            let problem: Value = answer.json().await?;
            let fork = problem["fork_position"].as_u64().unwrap_or_default();
            println!("-- the log is {} now, and the same up to {fork} --", problem["log"]);
            for (position, what) in self.done.split_off(&(fork + 1)).into_iter().rev() {
                println!("taking back {position} {what}");
            }
        }
        Ok(())
    }
}
