use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{data_dir, servers};

/// Three nats-servers that are one cluster with JetStream. They end with it.
pub struct Cluster {
    nodes: Vec<Child>,
    /// Of all of them.
    pub nats_url: String,
}

impl Cluster {
    /// With the binary that the shared server runs.
    pub async fn start(name: &str) -> Self {
        let binary = binary().await;
        let dir = data_dir(name);
        std::fs::create_dir_all(&dir).unwrap();
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        // All at once, so that they differ.
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
            let mut command = Command::new(&binary);
            command.arg("-c").arg(file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        });
        let nodes = nodes.collect();
        let urls: Vec<String> = clients.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let cluster = Self { nodes, nats_url: urls.join(",") };
        cluster.elected().await;
        cluster
    }

    /// Waits until they have a leader, who answers for JetStream.
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
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

async fn binary() -> PathBuf {
    servers().await;
    let pid = std::fs::read_to_string(data_dir("shared").join("nats/pid")).unwrap();
    std::fs::read_link(format!("/proc/{}/exe", pid.trim())).unwrap()
}
