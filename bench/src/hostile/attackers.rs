//! Misbehaving clients, and the responses that they receive.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Attack;
use crate::listeners::sockets;
use crate::projects::{Project, Projects};

/// An address that no well-behaved client uses, so that limits per address affect only the attackers.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 9, 9);
/// Interval between requests of a client that asks for things that no server should return.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// Pause before a refused client connects again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// Receive buffer in bytes of a client that does not read, so small that the server soon has to buffer the rest.
const RECEIVES: usize = 2048;
/// Time limit for all attackers to connect.
const LIMIT: Duration = Duration::from_secs(60);

/// Clients that misbehave until the end of the run.
pub struct Attackers {
    running: JoinSet<()>,
    shared: Arc<Shared>,
}

struct Shared {
    server: SocketAddr,
    token: String,
    projects: Vec<Project>,
    /// Number of connected clients among those that keep their connections.
    connected: AtomicUsize,
    answers: Mutex<BTreeMap<String, u64>>,
}

impl Attackers {
    /// Starts all attackers; returns when those that keep their connections are connected.
    pub async fn start(attack: Attack, server: SocketAddr, token: &str, projects: &Projects) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            server,
            token: token.to_owned(),
            projects: projects.list.clone(),
            connected: AtomicUsize::new(0),
            answers: Mutex::default(),
        });
        let mut running = JoinSet::new();
        let each = |count: usize| (0..count).map(|number| (number, Arc::clone(&shared)));
        each(attack.half_open).for_each(|(_, s)| drop(running.spawn(async move { s.half_open().await })));
        each(attack.never_reading).for_each(|(n, s)| drop(running.spawn(async move { s.reading(n, None).await })));
        let slowly = Some(Duration::from_secs(1));
        each(attack.slow).for_each(|(n, s)| drop(running.spawn(async move { s.reading(n, slowly).await })));
        each(attack.reconnecting).for_each(|(n, s)| drop(running.spawn(async move { s.reconnecting(n).await })));
        let s = Arc::clone(&shared);
        running.spawn(async move { s.requesting_too_much().await });
        let attackers = Self { running, shared };
        let stay = attack.half_open + attack.never_reading + attack.slow;
        let connecting = tokio::time::timeout(LIMIT, async {
            while attackers.shared.connected.load(Ordering::Relaxed) < stay {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        // Fewer may be connected: the server has then enforced its limit.
        let _ = connecting.await;
        Ok(attackers)
    }

    /// Ends the attackers and returns the responses, with the number of times that each was received.
    pub fn end(mut self) -> Vec<(String, u64)> {
        self.running.abort_all();
        let answers = self.shared.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.iter().map(|(answer, times)| (answer.clone(), *times)).collect()
    }
}

impl Shared {
    fn answered(&self, client: &str, what: &str) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry(format!("{client}: {what}")).or_default() += 1;
    }

    async fn connect(&self) -> anyhow::Result<TcpStream> {
        let socket = TcpStream::from_std(sockets::connect(self.server, ADDRESS)?)?;
        socket.writable().await?;
        ensure!(socket.take_error()?.is_none(), "refused");
        Ok(socket)
    }

    fn request(&self, path: &str, header: &str) -> String {
        let token = &self.token;
        format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n{header}\r\n")
    }

    fn stream(&self, number: usize) -> String {
        let project = &self.projects[number % self.projects.len()].id;
        self.request(&format!("/v1/projects/{project}/events/stream?since=0"), "")
    }

    async fn half_open(&self) {
        loop {
            if let Ok(mut socket) = self.connect().await {
                self.connected.fetch_add(1, Ordering::Relaxed);
                self.answered("half open", end_of(&mut socket).await);
                self.connected.fetch_sub(1, Ordering::Relaxed);
            } else {
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }

    /// Reads one byte after every `pause`, or never reads.
    async fn reading(&self, number: usize, pause: Option<Duration>) {
        let client = if pause.is_some() { "reading slowly" } else { "never reading" };
        loop {
            if let Ok(mut socket) = self.connect().await
                && SockRef::from(&socket).set_recv_buffer_size(RECEIVES).is_ok()
                && socket.write_all(self.stream(number).as_bytes()).await.is_ok()
            {
                self.connected.fetch_add(1, Ordering::Relaxed);
                match pause {
                    Some(pause) => {
                        while socket.read_u8().await.is_ok() {
                            tokio::time::sleep(pause).await;
                        }
                    }
                    // Wait for the end of the connection only, without reading from the socket.
                    None => {
                        let _ = socket.ready(tokio::io::Interest::ERROR).await;
                    }
                }
                self.connected.fetch_sub(1, Ordering::Relaxed);
                self.answered(client, "closed");
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    async fn reconnecting(&self, number: usize) {
        loop {
            match self.ask(&self.stream(number)).await {
                Ok(status) => self.answered("reconnecting", &status),
                Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
            }
        }
    }

    async fn requesting_too_much(&self) {
        let channels: Vec<String> = (0..1000).map(|n| Uuid::from_u128(n).to_string()).collect();
        let channels = self.request(&format!("/v1/stream?projects={}", channels.join(",")), "");
        let path = format!("/v1/projects/{}/events/stream", self.projects[0].id);
        let giant = |bytes| self.request(&path, &format!("Last-Event-ID: {}\r\n", "9".repeat(bytes)));
        let requests = [
            ("1,000 channels", channels),
            ("Last-Event-ID of 4 KB", giant(4_000)),
            ("Last-Event-ID of 200 KB", giant(200_000)),
        ];
        loop {
            for (client, request) in &requests {
                match self.ask(request).await {
                    Ok(status) => self.answered(client, &status),
                    Err(error) => self.answered(client, &format!("{error:#}")),
                }
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Status of the response, on a connection that is closed immediately.
    async fn ask(&self, request: &str) -> anyhow::Result<String> {
        let mut socket = self.connect().await?;
        let mut answer = [0; 1024];
        let (mut reading, mut writing) = socket.split();
        // The response may arrive before the request is fully sent.
        let (_, read) = tokio::join!(writing.write_all(request.as_bytes()), reading.read(&mut answer));
        let head = String::from_utf8_lossy(&answer[..read?]).into_owned();
        Ok(head.split(' ').nth(1).map_or_else(|| "closed without an answer".to_owned(), str::to_owned))
    }
}

/// Waits until a connection on which nothing was sent ends; says how it ended.
async fn end_of(socket: &mut TcpStream) -> &'static str {
    match socket.read(&mut [0; 256]).await {
        Ok(0) => "closed",
        Ok(_) => "answered",
        Err(_) => "reset",
    }
}
