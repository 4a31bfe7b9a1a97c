//! The floor of the live measurements: the same frames on the same paths, from memory, by axum and
//! `tokio::sync::broadcast`, with no database, no permissions and no way to resume.

use std::collections::HashMap;
use std::convert::Infallible;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use futures::StreamExt as _;
use futures::stream::{once, select_all};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

use crate::system::{Process, free_address};

/// Number of frames that a listener may be behind; further behind, its stream ends.
const BEHIND: usize = 1024;

#[derive(Clone, Default)]
struct Channels(Arc<Mutex<All>>);

#[derive(Default)]
struct All {
    position: u64,
    channels: HashMap<String, broadcast::Sender<Bytes>>,
}

impl Channels {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn channel(&mut self, name: &str) -> &broadcast::Sender<Bytes> {
        self.channels.entry(name.to_owned()).or_insert_with(|| broadcast::Sender::new(BEHIND))
    }
}

/// Serves until it is killed.
pub async fn run(address: &str) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/publish/{project}", post(publish))
        .route("/v1/projects/{project}/events/stream", get(one))
        .route("/v1/stream", get(several))
        .with_state(Channels::default());
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address.parse()?)?;
    // Backlog for all simultaneous connections: a client that the kernel rejects retries only after a second.
    let listener = socket.listen(4096)?.tap_io(|socket| {
        let _ = socket.set_nodelay(true);
    });
    Ok(axum::serve(listener, router).await?)
}

/// Starts the server as a process of its own.
pub async fn start() -> anyhow::Result<Process> {
    let address = free_address()?;
    let child = Command::new(std::env::current_exe()?)
        .args(["memory-server", "--listen", &address])
        .stdout(Stdio::null())
        .spawn()?;
    Process::other(address, child).listening().await
}

async fn publish(State(channels): State<Channels>, Path(project): Path<String>, data: String) -> Json<Value> {
    let mut all = channels.lock();
    all.position += 1;
    let position = all.position;
    let frame = format!("id: {position}\nevent: task.renamed\ndata: {data}\n\n");
    // An error means that the channel has no subscribers.
    let _ = all.channel(&project).send(Bytes::from(frame));
    Json(json!({"position": position}))
}

async fn one(State(channels): State<Channels>, Path(project): Path<String>) -> Response {
    stream(&channels, &[&project])
}

async fn several(State(channels): State<Channels>, Query(query): Query<HashMap<String, String>>) -> Response {
    let names = query.get("projects").map(String::as_str).unwrap_or_default();
    stream(&channels, &names.split(',').collect::<Vec<_>>())
}

fn stream(channels: &Channels, names: &[&str]) -> Response {
    let mut all = channels.lock();
    let from = all.position;
    let receivers = names.iter().map(|name| BroadcastStream::new(all.channel(name).subscribe()));
    let frames = select_all(receivers.collect::<Vec<_>>()).take_while(|frame| std::future::ready(frame.is_ok()));
    let frames = frames.filter_map(|frame| std::future::ready(frame.ok()));
    let hello = Bytes::from(format!("id: {from}\nevent: hello\ndata: {{}}\n\n"));
    let body = once(std::future::ready(hello)).chain(frames).map(Ok::<_, Infallible>);
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
}
