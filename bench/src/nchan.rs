//! A server for comparison with the live streams: nginx with Nchan, from memory, which forwards bytes, so that the
//! publisher numbers the frames and a new listener receives the newest message of its channel first.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;

use crate::client::Client;
use crate::projects::Projects;
use crate::system::{Folder, Process, free_address};

const MODULE: &str = "ngx_nchan_module.so";
/// Directory of modules in Debian, for an nginx that does not report its own.
const MODULES: &str = "/usr/lib/nginx/modules";
const MISSING: &str = "the peer is nginx with Nchan: apt-get install nginx libnginx-mod-nchan";

/// A production configuration without logs. The raw stream appends a line end to each message, which is the second of
/// the two that end a frame. A listener receives the newest message first, and all that follow it.
const CONFIG: &str = "\
load_module {module};
daemon off;
worker_processes {workers};
worker_rlimit_nofile 20000;
pid {dir}/pid;
error_log stderr error;
events { worker_connections 19900; multi_accept on; }
http {
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  client_body_buffer_size 64k;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  nchan_max_reserved_memory 256M;
  server {
    listen {address} backlog=4096;
    location ~ ^/publish/(?<project>[^/]+)$ {
      nchan_publisher http;
      nchan_channel_id $project;
      nchan_message_buffer_length 1024;
    }
    location ~ ^/v1/projects/(?<project>[^/]+)/events/stream$ {
      nchan_subscriber http-raw-stream;
      nchan_channel_id $project;
      nchan_subscriber_first_message -1;
    }
  }
}
";

pub struct Nchan {
    pub process: Process,
    pub numbers: Arc<Numbers>,
    /// Declared after the process, which has its files there.
    _dir: Folder,
}

/// The positions of the frames, which nginx does not assign.
#[derive(Default)]
pub struct Numbers(AtomicU64);

impl Numbers {
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Nchan {
    pub async fn start(workers: usize) -> anyhow::Result<Self> {
        let module = module()?;
        let dir = Folder(std::env::temp_dir().join(format!("taskfold-nchan-{}", std::process::id())));
        std::fs::create_dir_all(&dir.0)?;
        let address = free_address()?;
        let config = CONFIG
            .replace("{module}", &module.to_string_lossy())
            .replace("{workers}", &workers.to_string())
            .replace("{dir}", &dir.0.to_string_lossy())
            .replace("{address}", &address);
        let file = dir.0.join("nginx.conf");
        std::fs::write(&file, config)?;
        let child = Command::new("nginx")
            .args(["-e", "stderr", "-p"])
            .arg(&dir.0)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .spawn()
            .context(MISSING)?;
        // SIGKILL would leave its workers running.
        let process = Process::other(address, child).that_ends_with(Signal::SIGTERM).listening().await?;
        Ok(Self { process, numbers: Arc::default(), _dir: dir })
    }

    /// Publishes a `hello` in each channel, for listeners that connect later.
    pub async fn greet(&self, projects: &Projects) -> anyhow::Result<()> {
        let mut client = Client::connect(&self.process.address, "").await?;
        for project in &projects.list {
            let hello = format!("id: {}\nevent: hello\ndata: {{}}\n", self.numbers.next());
            client.send("POST", &format!("/publish/{}", project.id), hello).await?;
        }
        Ok(())
    }
}

/// Path of the Nchan module for the nginx on the PATH.
fn module() -> anyhow::Result<PathBuf> {
    let output = Command::new("nginx").arg("-V").output().context(MISSING)?;
    let output = String::from_utf8_lossy(&output.stderr).into_owned();
    let folder = output.split_whitespace().find_map(|flag| flag.strip_prefix("--modules-path="));
    let module = PathBuf::from(folder.unwrap_or(MODULES)).join(MODULE);
    ensure!(module.exists(), "{MISSING}");
    Ok(module)
}
