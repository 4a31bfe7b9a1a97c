//! Nchan (nginx) as a peer of `live`: the same frames on the same paths, from its memory. It gives no positions: the load
//! program numbers the frames.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::client::Client;
use crate::rooms::Room;
use crate::system::{Folder, Process};

/// Where distributions put it.
const MODULES: [&str; 2] = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules"];
const MODULE: &str = "ngx_nchan_module.so";

pub struct Nchan {
    pub process: Process,
    /// Behind the process, which writes there.
    _dir: Folder,
}

impl Nchan {
    pub async fn start() -> anyhow::Result<Self> {
        let found = MODULES.iter().map(|folder| Path::new(folder).join(MODULE)).find(|module| module.exists());
        let module = found.context("Nchan is not installed: apt-get install nginx libnginx-mod-nchan")?;
        let dir = Folder(std::env::temp_dir().join(format!("taskfold-bench-nchan-{}", std::process::id())));
        std::fs::create_dir_all(&dir.0)?;
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let file: PathBuf = dir.0.join("nginx.conf");
        std::fs::write(&file, configuration(&module, &dir.0, &address))?;
        let child = Command::new("nginx")
            .arg("-p")
            .arg(&dir.0)
            .arg("-c")
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .context("starting nginx")?;
        let process = Process::other(address, child);
        for _ in 0..200 {
            if Client::connect(&process.address, "").await.is_ok() {
                return Ok(Self { process, _dir: dir });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ensure!(false, "nginx did not start");
        Ok(Self { process, _dir: dir })
    }

    /// What listeners receive first. The frames behind it have higher numbers.
    pub async fn greet(&self, rooms: &[Room], from: u64) -> anyhow::Result<()> {
        let mut client = Client::connect(&self.process.address, "").await?;
        for room in rooms {
            let hello = format!("id: {from}\nevent: hello\ndata: {{}}\n\n");
            client.send("POST", &format!("/publish/{}", room.project), hello).await?;
        }
        Ok(())
    }
}

/// One process serves, as all of the others are one, and keeps of each channel the message that newcomers receive first.
fn configuration(module: &Path, dir: &Path, address: &str) -> String {
    let (module, dir) = (module.display(), dir.display());
    format!(
        r#"load_module {module};
daemon off;
master_process off;
pid {dir}/pid;
error_log {dir}/error.log error;
events {{ worker_connections 19500; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_requests 1000000;
    tcp_nodelay on;
    server {{
        listen {address} backlog=4096;
        location ~ ^/publish/(.+)$ {{
            nchan_publisher;
            nchan_channel_id $1;
            nchan_message_buffer_length 1;
            nchan_message_timeout 0;
        }}
        location ~ ^/v1/projects/([^/]+)/events/stream$ {{
            nchan_subscriber http-raw-stream;
            nchan_channel_id $1;
            nchan_subscriber_first_message -1;
            nchan_subscriber_http_raw_stream_separator "";
            nchan_subscriber_timeout 0;
        }}
    }}
}}
"#
    )
}
