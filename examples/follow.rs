//! A downstream service: reads a board over REST, then follows the project on NATS from exactly that position, and
//! prints each Change. No Change is missed or repeated, because the position of the read is the stream's sequence.
//!
//! It only reads: the stream by its sequences, for which the user of the private nats-server for followers suffices (the
//! program prints its URL when it starts). Messages on the subjects only say that there is more to read.
//!
//! A log that was restored from a backup and adopted has another id: Changes after the fork position are void. The
//! service undoes what it did for them, reads the board again, and continues.
//!
//!     cargo run --example follow -- http://127.0.0.1:8080 TOKEN PROJECT_ID nats://follower:PASSWORD@127.0.0.1:4222

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream;
use async_nats::jetstream::stream::DirectGetErrorKind;
use futures::StreamExt as _;
use serde_json::Value;

/// Interval of reads, and of checks that the log is still the same. Notifications are faster, and may be missed.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// Time in which a message that was received is also stored.
const STORED_WITHIN: Duration = Duration::from_millis(20);

struct Follower {
    board: String,
    token: String,
    stream: String,
    /// NATS subjects.
    adopted: String,
    events: String,
    nats: async_nats::Client,
    http: reqwest::Client,
    /// Id of the log that is followed.
    log: Option<String>,
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
        nats: connect(nats_url).await?,
        http: reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?,
        log: None,
        done: BTreeMap::new(),
    };
    loop {
        if let Err(error) = follower.follow().await {
            println!("-- trying again: {error:#} --");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Connects with the user and password of the URL, which the client does not send by itself. Replies come to an inbox
/// that is named after the user: nobody else may read it.
async fn connect(url: &str) -> anyhow::Result<async_nats::Client> {
    let server: async_nats::ServerAddr = url.parse()?;
    let mut options = async_nats::ConnectOptions::new();
    if let (Some(user), Some(password)) = (server.username(), server.password()) {
        options = options.user_and_password(user.to_owned(), password.to_owned());
        options = options.custom_inbox_prefix(format!("_INBOX_{user}"));
    }
    Ok(options.connect(server).await?)
}

impl Follower {
    /// Follows the log until its id changes.
    async fn follow(&mut self) -> anyhow::Result<()> {
        self.take_back().await?;

        // The initial state, the position that it reflects, and the id of the log.
        let answer = self.http.get(&self.board).bearer_auth(&self.token).send().await?.error_for_status()?;
        let header = |name| Some(answer.headers().get(name)?.to_str().ok()?.to_owned());
        let position: u64 = header("taskfold-position").context("the server told no position")?.parse()?;
        let log = header("taskfold-log").context("the server told no log")?;
        let board: Value = answer.json().await?;
        for column in board["columns"].as_array().into_iter().flatten() {
            println!("{}: {} tasks", column["name"], column["tasks"].as_array().map_or(0, Vec::len));
        }
        self.log = Some(log.clone());
        println!("-- at position {position} of the log {log}, following --");

        // The next message has a later position.
        let mut adopted = self.nats.subscribe(self.adopted.clone()).await?;
        let mut published = self.nats.subscribe(self.events.clone()).await?;
        let mut stream = jetstream::new(self.nats.clone()).get_stream(&self.stream).await?;
        let mut asking = tokio::time::interval(ASK_EVERY);
        let mut next = position + 1;
        loop {
            match stream.direct_get_next_for_subject(self.events.as_str(), Some(next)).await {
                Ok(message) => {
                    let of = message.headers.get("ce-taskfoldlog");
                    if of.is_some_and(|of| of.as_str() != log) {
                        return Ok(());
                    }
                    let change: Value = serde_json::from_slice(&message.payload)?;
                    println!("{} {} {}", message.sequence, change["type"], change["changes"]);
                    self.done.insert(message.sequence, change["type"].to_string());
                    next = message.sequence + 1;
                    continue;
                }
                Err(error) if error.kind() == DirectGetErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
            tokio::select! {
                message = published.next() => {
                    message.context("the subscription has ended")?;
                    tokio::time::sleep(STORED_WITHIN).await;
                }
                _ = adopted.next() => return Ok(()),
                _ = asking.tick() => {
                    let of = stream.info().await?.config.metadata.get("taskfold-log");
                    if of.is_some_and(|of| *of != log) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// A request with the id of an earlier log is refused with 410, and told the position up to which both logs are the
    /// same.
    async fn take_back(&mut self) -> anyhow::Result<()> {
        let Some(known) = &self.log else { return Ok(()) };
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
