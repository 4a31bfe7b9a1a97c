use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream;
use taskfold_embedded::nats_server;

use crate::harness::{data_dir, eventually};

const SERVERS: usize = 3;
/// A server that has no leader to ask does not answer.
const ANSWERS: Duration = Duration::from_millis(500);

pub struct Cluster {
    binary: PathBuf,
    servers: Vec<Server>,
}

struct Server {
    settings: PathBuf,
    port: u16,
    child: Child,
}

impl Cluster {
    pub async fn start() -> Self {
        let dir = data_dir("cluster");
        std::fs::create_dir_all(&dir).unwrap();
        let binary = nats_server(&dir).unwrap();
        // All at once, so that they differ.
        let listeners: Vec<_> = (0..2 * SERVERS).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        drop(listeners);
        let (clients, routes) = ports.split_at(SERVERS);
        let servers = clients.iter().zip(routes).enumerate().map(|(n, (&port, &route))| {
            let settings = dir.join(format!("{n}.conf"));
            std::fs::write(&settings, text(&dir, n, port, route, routes)).unwrap();
            Server { child: spawn(&binary, &settings), settings, port }
        });
        let servers = servers.collect();
        let cluster = Self { binary, servers };
        cluster.ready().await;
        cluster
    }

    /// All of them answer for JetStream, which they do once they have a leader.
    async fn ready(&self) {
        for server in &self.servers {
            eventually("JetStream answers", || async { server.jetstream().await?.query_account().await.ok() }).await;
        }
    }

    pub fn url(&self) -> String {
        let urls: Vec<String> = self.servers.iter().map(Server::url).collect();
        urls.join(",")
    }

    /// Which server leads the stream, as one says that is not `gone`, and not that one.
    pub async fn leader(&self, stream: &str, gone: Option<usize>) -> Option<usize> {
        let asked = (0..SERVERS).find(|n| Some(*n) != gone)?;
        let info = self.servers[asked].jetstream().await?.get_stream(stream).await.ok()?.cached_info().clone();
        let leader = info.cluster?.leader?.parse().ok()?;
        (Some(leader) != gone).then_some(leader)
    }

    /// The sequence of the stream's last message, asked of this server.
    pub async fn last_sequence(&self, stream: &str, asked: usize) -> Option<i64> {
        let stream = self.servers[asked].jetstream().await?.get_stream(stream).await.ok()?;
        i64::try_from(stream.cached_info().state.last_sequence).ok()
    }

    /// SIGKILL.
    pub fn kill(&mut self, server: usize) {
        self.servers[server].end();
    }

    pub async fn restart(&mut self, server: usize) {
        self.servers[server].child = spawn(&self.binary, &self.servers[server].settings);
        self.ready().await;
    }
}

impl Server {
    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// On a connection to this server alone.
    async fn jetstream(&self) -> Option<jetstream::Context> {
        let options = async_nats::ConnectOptions::new().ignore_discovered_servers();
        let client = options.connect(self.url()).await.ok()?;
        Some(jetstream::ContextBuilder::new().timeout(ANSWERS).build(client))
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(binary: &Path, settings: &Path) -> Child {
    Command::new(binary).arg("-c").arg(settings).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The settings of one of them. It is called by its number.
fn text(dir: &Path, number: usize, port: u16, route: u16, routes: &[u16]) -> String {
    let routes: Vec<String> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
    format!(
        "server_name: \"{number}\"\nlisten: \"127.0.0.1:{port}\"\nmax_payload: 8MB\n\
         jetstream {{ store_dir: \"{}\" }}\n\
         cluster {{ name: taskfold, listen: \"127.0.0.1:{route}\", routes: [{}] }}\n",
        dir.join(number.to_string()).display(),
        routes.join(", ")
    )
}
