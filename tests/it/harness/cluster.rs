//! A cluster of three nats-servers.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::context::{Context, ContextBuilder};
use async_nats::jetstream::stream::Info;

use super::data_dir;
use super::nats_server::binary;

/// Response timeout of one server. A server without a leader does not respond.
const ANSWERS: Duration = Duration::from_millis(500);

/// Three nats-servers in one cluster with JetStream. They end when this is dropped.
pub struct Cluster {
    nodes: Vec<Node>,
    binary: PathBuf,
    /// URLs of all nodes.
    pub nats_url: String,
}

/// One server of the cluster.
struct Node {
    settings: PathBuf,
    url: String,
    child: Child,
}

impl Cluster {
    /// Starts a cluster with the binary of the shared server.
    pub async fn start(name: &str) -> Self {
        let binary = binary().await;
        let dir = data_dir(name);
        std::fs::create_dir_all(&dir).unwrap();
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        // All at once, so that the ports differ.
        let listeners: Vec<_> = (0..6).map(|_| free()).collect();
        let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        drop(listeners);
        let (clients, peers) = ports.split_at(3);
        let routes: Vec<String> = peers.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let nodes = (0..3).map(|n| {
            let settings = format!(
                "server_name: n{n}\nlisten: \"127.0.0.1:{}\"\njetstream {{ store_dir: \"{}\" }}\n\
                 cluster {{ name: taskfold, listen: \"127.0.0.1:{}\", routes: [{}] }}\n",
                clients[n],
                dir.join(format!("store-{n}")).display(),
                peers[n],
                routes.join(", ")
            );
            let file = dir.join(format!("{n}.conf"));
            std::fs::write(&file, settings).unwrap();
            Node { child: spawn(&binary, &file), settings: file, url: format!("nats://127.0.0.1:{}", clients[n]) }
        });
        let nodes: Vec<Node> = nodes.collect();
        let urls: Vec<&str> = nodes.iter().map(|node| node.url.as_str()).collect();
        let cluster = Self { nats_url: urls.join(","), nodes, binary };
        cluster.elected().await;
        cluster
    }

    /// Waits until they have a leader, which responds for JetStream.
    async fn elected(&self) {
        let servers: Vec<&str> = self.nats_url.split(',').collect();
        let options = async_nats::ConnectOptions::new().retry_on_initial_connect();
        let client = options.connect(servers).await.unwrap();
        super::eventually("the cluster has a leader", || async {
            let context = async_nats::jetstream::new(client.clone());
            tokio::time::timeout(Duration::from_secs(1), context.query_account()).await.ok()?.ok()
        })
        .await;
    }

    /// Number of the node that leads the stream, as reported by another node than `except`; never `except` itself.
    pub async fn leader(&self, stream: &str, except: Option<usize>) -> Option<usize> {
        let reporter = (0..self.nodes.len()).find(|n| Some(*n) != except)?;
        let leader = self.nodes[reporter].info(stream).await?.cluster?.leader?;
        let leader = leader.strip_prefix('n')?.parse().ok()?;
        (Some(leader) != except).then_some(leader)
    }

    /// The sequence of the stream's last message, as reported by this node.
    pub async fn last_sequence(&self, stream: &str, node: usize) -> Option<i64> {
        i64::try_from(self.nodes[node].info(stream).await?.state.last_sequence).ok()
    }

    /// SIGKILL.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].end();
    }

    /// Restarts a node and waits until it has joined the cluster.
    pub async fn start_again(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.child = spawn(&self.binary, &node.settings);
        super::eventually("it answers", || async { node.jetstream().await?.query_account().await.ok() }).await;
    }
}

impl Node {
    /// JetStream on a connection to this node alone.
    async fn jetstream(&self) -> Option<Context> {
        let client = ConnectOptions::new().ignore_discovered_servers().connect(&self.url).await.ok()?;
        Some(ContextBuilder::new().timeout(ANSWERS).build(client))
    }

    async fn info(&self, stream: &str) -> Option<Info> {
        Some(self.jetstream().await?.get_stream(stream).await.ok()?.cached_info().clone())
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(binary: &Path, settings: &Path) -> Child {
    let mut command = Command::new(binary);
    command.arg("-c").arg(settings).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
