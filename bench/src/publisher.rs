use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::listeners::Sent;
use crate::rooms::{Room, position_of};

/// Publishers so far: a title that a task already has would be no event.
static PUBLISHERS: AtomicUsize = AtomicUsize::new(0);

/// Sends commands at a constant rate, however long the answers take: a slow server gets no rest.
pub struct Publisher {
    address: String,
    token: String,
    rooms: Vec<Room>,
    how: How,
    sent: Arc<Sent>,
    number: usize,
    /// Of each room: the last position that a reply told.
    pub heads: Vec<AtomicU64>,
    idle: Mutex<Vec<Client>>,
}

/// What is sent of a command.
pub enum How {
    /// Renaming the room's task.
    Rename,
    /// The frame's data, made from this Change, for a server that only passes it on.
    Frame(Value),
    /// The whole frame with this Change, numbered from here on, for a server that gives no positions.
    Numbered { change: Value, from: u64 },
}

/// A command that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    pub command: usize,
    pub room: usize,
    pub position: u64,
    /// As `Sent` counts.
    pub sent: u64,
    pub replied: u64,
}

/// The room and position of each.
pub fn places(published: &[Published]) -> Vec<(usize, u64)> {
    published.iter().map(|p| (p.room, p.position)).collect()
}

impl Publisher {
    pub fn new(address: &str, token: &str, rooms: &[Room], how: How, sent: Arc<Sent>) -> Arc<Self> {
        Arc::new(Self {
            address: address.to_owned(),
            token: token.to_owned(),
            rooms: rooms.to_vec(),
            how,
            sent,
            number: PUBLISHERS.fetch_add(1, Ordering::Relaxed),
            heads: rooms.iter().map(|_| AtomicU64::new(0)).collect(),
            idle: Mutex::default(),
        })
    }

    /// All commands that `Sent` has room for, one room after the other, or until `enough`.
    pub async fn run(self: &Arc<Self>, rate: u32, enough: CancellationToken) -> anyhow::Result<Vec<Published>> {
        if rate == 0 {
            return Ok(Vec::new());
        }
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut under_way = JoinSet::new();
        for command in 0..self.sent.commands() {
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
        let room = command % self.rooms.len();
        let (method, path, body) = self.request(command, room);
        // Waiting for a connection counts: it is the server's answers that are waited for.
        let sent = self.sent.now();
        self.sent.set(command, sent);
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut client = match idle {
            Some(client) => client,
            None => Client::connect(&self.address, &self.token).await?,
        };
        let reply = client.send(method, &path, body).await?;
        let replied = self.sent.now();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        let position = match &self.how {
            How::Numbered { from, .. } => from + 1 + command as u64,
            How::Rename | How::Frame(_) => position_of(&serde_json::from_slice(&reply)?)?,
        };
        self.heads[room].fetch_max(position, Ordering::Relaxed);
        Ok(Published { command, room, position, sent, replied })
    }

    fn request(&self, command: usize, room: usize) -> (&'static str, String, String) {
        let title = format!("#{command}# {}", self.number);
        let room = &self.rooms[room];
        match &self.how {
            How::Rename => ("PATCH", format!("/v1/tasks/{}", room.task), json!({"title": title}).to_string()),
            How::Frame(change) => ("POST", format!("/publish/{}", room.project), titled(change, &title)),
            How::Numbered { change, from } => {
                let (id, data) = (from + 1 + command as u64, titled(change, &title));
                let frame = format!("id: {id}\nevent: task.renamed\ndata: {data}\n\n");
                ("POST", format!("/publish/{}", room.project), frame)
            }
        }
    }
}

fn titled(change: &Value, title: &str) -> String {
    let mut change = change.clone();
    change["changes"]["title"]["to"] = json!(title);
    change.to_string()
}

/// The Change of a command, as a stream carries it.
pub async fn sample(address: &str, token: &str, room: &Room) -> anyhow::Result<Value> {
    let mut client = Client::connect(address, token).await?;
    let title = json!({"title": "A sample"}).to_string();
    let reply = client.json("PATCH", &format!("/v1/tasks/{}", room.task), title).await?;
    Ok(reply["events"][0].clone())
}
