//! The private nats-server with JetStream, on a port of 127.0.0.1 that is kept between runs.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;

use super::binaries;
use super::orphans;
use super::privileges::RunAs;
use super::supervisor::Recipe;

pub(super) struct Nats {
    binary: PathBuf,
    dir: PathBuf,
    port: u16,
}

impl Nats {
    /// Finds the binary and a port. Blocks for seconds the first time.
    pub(super) fn set_up(data_dir: &Path) -> anyhow::Result<Self> {
        let binary = binaries::nats(data_dir)?;
        let dir = data_dir.join("nats");
        RunAs::Ourselves.private_dir(&dir)?;
        end_orphan(&dir);
        let port = port(&dir.join("port"))?;
        let nats = Self { binary, dir, port };
        std::fs::write(nats.settings(), nats.settings_text()).context("writing the settings of nats-server")?;
        Ok(nats)
    }

    pub(super) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    fn settings(&self) -> PathBuf {
        self.dir.join("nats.conf")
    }

    /// Content of the configuration file. With flags instead, nats-server would append to the folder of JetStream.
    fn settings_text(&self) -> String {
        // The format accepts JSON strings.
        let quoted = |path: PathBuf| serde_json::Value::String(path.display().to_string()).to_string();
        format!(
            "# Written at every start.\nserver_name: taskfold\nlisten: \"127.0.0.1:{}\"\npid_file: {}\nmax_payload: 8MB\njetstream {{ store_dir: {} }}\n",
            self.port,
            quoted(self.dir.join("pid")),
            quoted(self.dir.join("store"))
        )
    }
}

impl Recipe for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn prepare(&self) -> anyhow::Result<()> {
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("-c").arg(self.settings());
        command
    }

    /// Reads the INFO line that the server sends first, which says whether JetStream is up.
    fn is_ready(&self, _pid: u32) -> bool {
        greeting(self.port).is_some_and(|info| info.starts_with("INFO ") && info.contains("\"jetstream\":true"))
    }

    fn stop_signal(&self) -> Signal {
        Signal::SIGTERM
    }
}

fn greeting(port: u16) -> Option<String> {
    let limit = Duration::from_millis(200);
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    let mut buffer = [0; 4096];
    let read = stream.read(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..read]).into_owned())
}

fn end_orphan(dir: &Path) {
    let settings = dir.join("nats.conf");
    if let Some(pid) = orphans::pid_in(&dir.join("pid"))
        && orphans::mentions(pid, &settings)
    {
        orphans::end("nats", pid, &settings, Signal::SIGTERM, Duration::from_secs(10));
    }
}

/// The port of the last run, so that external clients find the server again, or another one if it is in use.
fn port(file: &Path) -> anyhow::Result<u16> {
    let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| listener.local_addr());
    let kept = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
    if let Some(port) = kept
        && is_free(port).is_ok()
    {
        return Ok(port);
    }
    let port = is_free(0).context("finding a free port for nats-server")?.port();
    std::fs::write(file, port.to_string()).context("saving the port of nats-server")?;
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_kept_until_it_is_taken() -> anyhow::Result<()> {
        let dir = std::env::temp_dir().join(format!("taskfold-port-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let file = dir.join("port");
        let first = port(&file)?;
        assert_eq!(port(&file)?, first);
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first))?;
        assert_ne!(port(&file)?, first);
        std::fs::remove_dir_all(&dir)?;
        Ok(())
    }
}
