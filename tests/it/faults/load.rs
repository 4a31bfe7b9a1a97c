//! Continuous load and its outcomes: writers, readers, followers and health checks, each with the time at which a
//! response or event was received.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use futures::StreamExt as _;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use taskfold_projector::stream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::harness::{Actor, Sse, new_id};

/// Pause between two requests of one client.
const PACE: Duration = Duration::from_millis(100);
/// Number of files of one task, below its limit.
const FILES: usize = 400;
/// Time limit of a response, longer than any deadline of the servers.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);
/// Longer than the pause between two heartbeats: the connection is dead.
const STREAM_LIMIT: Duration = Duration::from_secs(20);
/// Time limit for the next message while messages are published continuously.
const MESSAGE_LIMIT: Duration = Duration::from_secs(3);

/// Outcome of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Success, with this position.
    Done(i64),
    /// 503 with `Retry-After`.
    Refused,
    /// No response: the connection broke, or the time limit passed.
    None,
    /// Success, with an earlier position than one that was published before.
    Behind(String),
    /// A response that no client should receive.
    Wrong(String),
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub sent: Instant,
    pub answered: Instant,
    pub outcome: Outcome,
}

/// Ids or sequences that a follower received, with their times.
#[derive(Clone, Default)]
pub struct Followed {
    pub received: Vec<(String, Instant)>,
    /// Number of resets received.
    pub resets: usize,
}

#[derive(Clone)]
pub struct ReadinessReport {
    pub at: Instant,
    /// `None`: no response.
    pub ready: Option<Value>,
}

/// All observations.
#[derive(Default)]
pub struct Observed {
    pub commands: Vec<Reply>,
    pub uploads: Vec<Reply>,
    pub reads: Vec<Reply>,
    /// Keys of commands and the positions in their replies.
    pub acknowledged: Vec<(String, i64)>,
    /// Stream of a member of the project.
    pub project: Followed,
    /// Stream of another member, with the person's own channel.
    pub person: Followed,
    pub messages: Followed,
    pub health_of_commands: Vec<ReadinessReport>,
    pub health_of_reads: Vec<ReadinessReport>,
    pub health_of_projectors: Vec<ReadinessReport>,
}

#[derive(Clone, Default)]
pub struct Record(Arc<Mutex<Observed>>);

impl Record {
    pub fn with<T>(&self, access: impl FnOnce(&mut Observed) -> T) -> T {
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Clients, and the project that they work on.
pub struct World {
    /// Ada's clients for the command-api and for the query-api.
    pub ada: [Actor; 2],
    pub bo: [Actor; 2],
    pub project: String,
    /// One task for each writer.
    pub tasks: Vec<String>,
    /// Tasks that files are attached to, one after the other.
    pub with_files: Vec<String>,
    pub projectors: [String; 2],
    pub nats_url: String,
    pub stream: String,
}

impl World {
    /// Runs the load until the result is dropped.
    pub fn start(&self, record: &Record) -> JoinSet<()> {
        let mut work = JoinSet::new();
        for task in &self.tasks {
            let bo = self.bo[0].user_id.clone();
            work.spawn(write(self.ada[0].clone(), self.project.clone(), task.clone(), bo, record.clone()));
        }
        let [commands, reads] = &self.ada;
        work.spawn(upload(commands.clone(), self.with_files.clone(), record.clone()));
        work.spawn(read(reads.clone(), self.project.clone(), record.clone()));
        let path = format!("/v1/projects/{}/events/stream", self.project);
        work.spawn(follow(reads.clone(), path, record.clone(), |observed| &mut observed.project));
        let path = format!("/v1/stream?projects={}&me=true", self.project);
        work.spawn(follow(self.bo[1].clone(), path, record.clone(), |observed| &mut observed.person));
        work.spawn(subscribe(self.nats_url.clone(), self.stream.clone(), record.clone()));
        let [first, second] = &self.projectors;
        work.spawn(ask_health(commands.url.clone(), record.clone(), |observed| &mut observed.health_of_commands));
        work.spawn(ask_health(reads.url.clone(), record.clone(), |observed| &mut observed.health_of_reads));
        work.spawn(ask_health(first.clone(), record.clone(), |observed| &mut observed.health_of_projectors));
        work.spawn(ask_health(second.clone(), record.clone(), |observed| &mut observed.health_of_projectors));
        work
    }
}

/// Creates tasks for an assignee and renames its own task, alternately; each command is repeated under its key until it
/// is done.
async fn write(ada: Actor, project: String, own: String, assignee: String, record: Record) {
    for round in 0.. {
        let key = new_id().to_string();
        let (method, path, body) = if round % 2 == 0 {
            let body = json!({"title": key, "assignee_ids": [assignee]});
            (Method::POST, format!("/v1/projects/{project}/tasks"), body)
        } else {
            (Method::PATCH, format!("/v1/tasks/{own}"), json!({"title": key}))
        };
        let request = || ada.request(method.clone(), &path).json(&body);
        until_done(&record, |observed| &mut observed.commands, key, request).await;
        sleep(PACE).await;
    }
}

/// Attaches files to tasks, to each below its limit.
async fn upload(ada: Actor, tasks: Vec<String>, record: Record) {
    for task in tasks.iter().flat_map(|task| std::iter::repeat_n(task, FILES)) {
        let path = format!("/v1/tasks/{task}/attachments?file_name=some.bin");
        let request = || {
            let request = ada.request(Method::POST, &path).header("content-type", "application/octet-stream");
            request.body(vec![7; 64 * 1024])
        };
        until_done(&record, |observed| &mut observed.uploads, new_id().to_string(), request).await;
        sleep(PACE * 10).await;
    }
}

/// Sends a command, repeated under its key until it is done.
async fn until_done(
    record: &Record,
    of: fn(&mut Observed) -> &mut Vec<Reply>,
    key: String,
    request: impl Fn() -> RequestBuilder,
) {
    loop {
        let reply = ask(request().header("idempotency-key", &key), |_, body| body["position"].as_i64()).await;
        let done = record.with(|observed| {
            of(observed).push(reply.clone());
            let Outcome::Done(position) = reply.outcome else { return false };
            observed.acknowledged.push((key.clone(), position));
            true
        });
        if done {
            break;
        }
        sleep(PACE).await;
    }
}

/// Reads repeatedly. A response that lacks events published before the request is wrong.
async fn read(ada: Actor, project: String, record: Record) {
    loop {
        let (announced, resets) = record.with(|observed| {
            let last = observed.project.received.last().and_then(|(id, _)| position_of(id));
            (last.unwrap_or_default(), observed.project.resets)
        });
        let request = ada.request(Method::GET, &format!("/v1/projects/{project}"));
        let mut reply = ask(request, |headers, _| headers.get("taskfold-position")?.to_str().ok()?.parse().ok()).await;
        record.with(|observed| {
            if let Outcome::Done(position) = reply.outcome
                && position < announced
                && resets == observed.project.resets
            {
                reply.outcome = Outcome::Behind(format!("at {position} after {announced} was announced"));
            }
            observed.reads.push(reply);
        });
        sleep(PACE).await;
    }
}

async fn ask(request: RequestBuilder, position: impl Fn(&reqwest::header::HeaderMap, &Value) -> Option<i64>) -> Reply {
    let sent = Instant::now();
    let outcome = async {
        let Ok(response) = request.timeout(REQUEST_LIMIT).send().await else { return Outcome::None };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let Ok(body) = response.json::<Value>().await else { return Outcome::None };
        match status {
            200 | 201 => position(&headers, &body)
                .map_or_else(|| Outcome::Wrong(format!("{status} without a position: {body}")), Outcome::Done),
            503 if headers.contains_key("retry-after") => Outcome::Refused,
            _ => Outcome::Wrong(format!("{status}: {body}")),
        }
    };
    let outcome = outcome.await;
    Reply { sent, answered: Instant::now(), outcome }
}

/// The position in an SSE id of a Change.
pub fn position_of(id: &str) -> Option<i64> {
    id.split('-').next()?.parse().ok()
}

/// Follows a stream and reconnects after every break, as EventSource does; starts over on a reset.
async fn follow(actor: Actor, path: String, record: Record, of: fn(&mut Observed) -> &mut Followed) {
    let mut cursor = "0".to_owned();
    loop {
        let request = actor.request(Method::GET, &path).header("last-event-id", &cursor);
        let opened = timeout(REQUEST_LIMIT, Sse::try_open(request)).await;
        if let Ok(Some(mut stream)) = opened {
            while let Ok(Some(frame)) = timeout(STREAM_LIMIT, stream.next()).await {
                let reset = frame.event == "reset";
                record.with(|observed| {
                    let followed = of(observed);
                    if reset {
                        followed.received.clear();
                        followed.resets += 1;
                    } else if frame.data.get("changes").is_some() || frame.event == "notification" {
                        followed.received.push((frame.id.clone(), Instant::now()));
                    }
                });
                if reset {
                    cursor = "0".to_owned();
                    break;
                } else if !frame.id.is_empty() {
                    cursor = frame.id;
                }
            }
        }
        sleep(PACE).await;
    }
}

/// Reads the stream on NATS from the last sequence, on a new connection when no message comes; from the beginning when
/// the stream was recreated.
async fn subscribe(nats_url: String, name: String, record: Record) {
    let mut made = None;
    loop {
        let reading = async {
            let client = crate::harness::nats(&nats_url).await.ok()?;
            let mut adopted = client.subscribe(format!("{}.log.adopted", name.to_lowercase())).await.ok()?;
            let mut stream = stream::find(&stream::context(&client), &name).await.ok()??;
            let created = stream.info().await.ok()?.created;
            if made.replace(created).is_some_and(|before| before != created) {
                record.with(|observed| {
                    observed.messages.received.clear();
                    observed.messages.resets += 1;
                });
            }
            let next = record.with(|observed| observed.messages.received.len() as u64 + 1);
            let from = DeliverPolicy::ByStartSequence { start_sequence: next };
            let config = pull::OrderedConfig { deliver_policy: from, ..Default::default() };
            let mut messages = stream.create_consumer(config).await.ok()?.messages().await.ok()?;
            loop {
                let message = tokio::select! {
                    message = timeout(MESSAGE_LIMIT, messages.next()) => message.ok()??.ok()?,
                    // The stream was recreated.
                    _ = adopted.next() => return Some(()),
                };
                let sequence = message.info().ok()?.stream_sequence;
                let received = (sequence.to_string(), Instant::now());
                record.with(|observed| observed.messages.received.push(received));
            }
        };
        let _: Option<()> = reading.await;
        sleep(PACE).await;
    }
}

async fn ask_health(url: String, record: Record, of: fn(&mut Observed) -> &mut Vec<ReadinessReport>) {
    let client = reqwest::Client::new();
    loop {
        let request = client.get(format!("{url}/health/ready")).timeout(Duration::from_secs(5));
        let ready = async { request.send().await.ok()?.json::<Value>().await.ok() }.await;
        record.with(|observed| of(observed).push(ReadinessReport { at: Instant::now(), ready }));
        sleep(PACE * 5).await;
    }
}
