//! Sends commands at a constant rate.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::monotonic;
use crate::nchan::Numbers;
use crate::projects::{Project, position_of};

/// Number of publishers so far: setting a title that a task already has would append no event.
static PUBLISHERS: AtomicUsize = AtomicUsize::new(0);

/// Sends commands at a constant rate, independent of the response times: a slow server is not given time to recover.
pub struct Publisher {
    address: String,
    token: String,
    projects: Vec<Project>,
    how: How,
    number: usize,
    /// Last position in a reply, for each project.
    pub heads: Vec<AtomicU64>,
    idle: Mutex<Vec<Client>>,
    /// A lock for each project, held from numbering a frame until it is sent.
    numbering: Vec<tokio::sync::Mutex<()>>,
}

/// Form in which a command is sent.
pub enum How {
    /// Renames the project's task.
    Rename,
    /// The frame's data, made from this Change, for a server that only forwards it.
    Frame(Value),
    /// The whole frame, with a number assigned here, for a server that only forwards bytes: one after the other in each
    /// project.
    Numbered(Value, Arc<Numbers>),
}

/// A command that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    pub project: usize,
    pub position: u64,
    /// Send time as returned by `monotonic::now`, which the frame contains.
    pub sent: u64,
    pub replied: u64,
}

impl Publisher {
    pub fn new(address: &str, token: &str, projects: &[Project], how: How) -> Arc<Self> {
        Arc::new(Self {
            address: address.to_owned(),
            token: token.to_owned(),
            projects: projects.to_vec(),
            how,
            number: PUBLISHERS.fetch_add(1, Ordering::Relaxed),
            heads: projects.iter().map(|_| AtomicU64::new(0)).collect(),
            idle: Mutex::default(),
            numbering: projects.iter().map(|_| tokio::sync::Mutex::default()).collect(),
        })
    }

    /// Sends this number of commands, to the projects in rotation, or until `enough`.
    pub async fn run(
        self: &Arc<Self>,
        rate: u32,
        commands: usize,
        enough: CancellationToken,
    ) -> anyhow::Result<Vec<Published>> {
        if rate == 0 {
            return Ok(Vec::new());
        }
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut under_way = JoinSet::new();
        for command in 0..commands {
            tokio::select! {
                _ = ticks.tick() => {}
                () = enough.cancelled() => break,
            }
            let this = Arc::clone(self);
            under_way.spawn(async move { this.publish(command).await });
        }
        under_way.join_all().await.into_iter().collect()
    }

    async fn publish(&self, command: usize) -> anyhow::Result<Published> {
        let project = command % self.projects.len();
        // Includes the time spent waiting for a connection, because that is caused by the server's response times.
        let sent = monotonic::now();
        let title = format!("#{sent}# {}.{command}", self.number);
        let Project { id, task } = &self.projects[project];
        let position = match &self.how {
            How::Rename => {
                let body = json!({"title": title}).to_string();
                position_in(&self.send("PATCH", &format!("/v1/tasks/{task}"), body).await?)?
            }
            How::Frame(change) => {
                let data = titled(change, &title);
                position_in(&self.send("POST", &format!("/publish/{id}"), data).await?)?
            }
            How::Numbered(change, numbers) => {
                let _guard = self.numbering[project].lock().await;
                let number = numbers.next();
                let frame = format!("id: {number}\nevent: task.renamed\ndata: {}\n", titled(change, &title));
                self.send("POST", &format!("/publish/{id}"), frame).await?;
                number
            }
        };
        self.heads[project].fetch_max(position, Ordering::Relaxed);
        Ok(Published { project, position, sent, replied: monotonic::now() })
    }

    async fn send(&self, method: &str, path: &str, body: String) -> anyhow::Result<Bytes> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut client = match idle {
            Some(client) => client,
            None => Client::connect(&self.address, &self.token).await?,
        };
        let reply = client.send(method, path, body).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        Ok(reply)
    }
}

fn titled(change: &Value, title: &str) -> String {
    let mut change = change.clone();
    change["changes"]["title"]["to"] = json!(title);
    change.to_string()
}

fn position_in(reply: &[u8]) -> anyhow::Result<u64> {
    position_of(&serde_json::from_slice(reply)?)
}

/// The Change of a command, as a stream carries it.
pub async fn sample(address: &str, token: &str, project: &Project) -> anyhow::Result<Value> {
    let mut client = Client::connect(address, token).await?;
    let title = json!({"title": "A sample"}).to_string();
    let reply = client.json("PATCH", &format!("/v1/tasks/{}", project.task), title).await?;
    Ok(reply["events"][0].clone())
}
