//! A nats-server with settings of the test.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{data_dir, eventually, servers};

/// A nats-server that ends when this is dropped.
pub struct NatsServer {
    /// `127.0.0.1` and the port.
    pub address: String,
    log: PathBuf,
    child: Child,
}

impl NatsServer {
    /// Starts the binary of the shared server with JetStream and these settings.
    pub async fn start(name: &str, settings: &str) -> Self {
        let dir = data_dir(name);
        std::fs::create_dir_all(&dir).unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let (log, file) = (dir.join("log"), dir.join("nats.conf"));
        let own = format!(
            "listen: \"{address}\"\nmax_payload: 8MB\nlog_file: \"{}\"\njetstream {{ store_dir: \"{}\" }}\n",
            log.display(),
            dir.join("store").display()
        );
        std::fs::write(&file, own + settings).unwrap();
        let mut command = Command::new(binary().await);
        let child = command.arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { address, log, child };
        eventually("the nats-server is ready", || async { server.log().contains("Server is ready").then_some(()) })
            .await;
        server
    }

    /// Log of the server.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Permissions that somebody lacked, as the server logs them.
    pub fn violations(&self) -> Vec<String> {
        self.log().lines().filter(|line| line.contains("Violation")).map(str::to_owned).collect()
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Binary of the shared server.
pub async fn binary() -> PathBuf {
    servers().await;
    let pid = std::fs::read_to_string(data_dir("shared").join("nats/pid")).unwrap();
    std::fs::read_link(format!("/proc/{}/exe", pid.trim())).unwrap()
}
