//! The private nats-server with JetStream, on a port of 127.0.0.1 that is kept between runs. Everybody on the machine
//! can connect to it: the program and followers have passwords, which are kept too.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use rand::Rng as _;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};

use super::binaries;
use super::orphans;
use super::privileges::RunAs;
use super::server_dir::server_dir;
use super::supervisor::Recipe;

/// Names of the users.
const PROGRAM: &str = "taskfold";
const FOLLOWER: &str = "follower";
const PASSWORD_CHARS: usize = 43;
/// Folder of the streams, by accounts: those of the account that earlier versions had, and those of the program's.
const STREAMS_BEFORE: &str = "store/jetstream/$G";
const STREAMS: &str = "store/jetstream/TASKFOLD";

pub(super) struct Nats {
    binary: PathBuf,
    run_as: RunAs,
    dir: PathBuf,
    port: u16,
    passwords: Passwords,
    /// Name of the stream that followers may read.
    stream: String,
}

/// URLs with a user and a password.
#[derive(Clone, Debug)]
pub(super) struct NatsUrls {
    /// May do everything.
    pub program: String,
    /// May only read the events.
    pub follower: String,
}

#[derive(Serialize, Deserialize)]
struct Passwords {
    program: String,
    follower: String,
}

impl Nats {
    /// Finds the binary and a port. Blocks for seconds the first time.
    pub(super) fn set_up(data_dir: &Path, stream: String) -> anyhow::Result<Self> {
        let run_as = RunAs::decide()?;
        let binary = binaries::nats(data_dir, &run_as)?;
        let dir = server_dir(data_dir, &run_as, "nats")?.join("nats");
        run_as.private_dir(&dir)?;
        end_orphan(&dir);
        if dir.join(STREAMS_BEFORE).exists() && !dir.join(STREAMS).exists() {
            std::fs::rename(dir.join(STREAMS_BEFORE), dir.join(STREAMS)).context("moving the streams")?;
        }
        run_as.own_all_in(&dir)?;
        let port = port(&dir.join("port"))?;
        let passwords = Passwords::of(&dir.join("passwords.json"))?;
        let nats = Self { binary, run_as, dir, port, passwords, stream };
        let written = nats.run_as.private_file(&nats.settings(), &nats.settings_text());
        written.context("writing the settings of nats-server")?;
        Ok(nats)
    }

    pub(super) fn urls(&self) -> NatsUrls {
        let url = |user, password: &str| format!("nats://{user}:{password}@127.0.0.1:{}", self.port);
        NatsUrls { program: url(PROGRAM, &self.passwords.program), follower: url(FOLLOWER, &self.passwords.follower) }
    }

    fn settings(&self) -> PathBuf {
        self.dir.join("nats.conf")
    }

    /// Content of the configuration file. With flags instead, nats-server would append to the folder of JetStream.
    ///
    /// Followers have an account of their own, into which the events are exported: within the account of the program, a
    /// request with a subject of the stream as its reply subject would have the server write to the stream. (They may not
    /// request `$JS.API.INFO`, but importing it keeps the server from answering for their account too.) They read
    /// the stream by its sequences (`DIRECT.GET`), and not with consumers: whoever may create a consumer may have it
    /// send messages to any subject.
    fn settings_text(&self) -> String {
        // The format accepts JSON strings.
        let quoted = |path: PathBuf| serde_json::Value::String(path.display().to_string()).to_string();
        let Self { port, passwords: Passwords { program, follower }, stream, .. } = self;
        let (pid, store, prefix) =
            (quoted(self.dir.join("pid")), quoted(self.dir.join("store")), stream.to_lowercase());
        format!(
            r#"# Written at every start.
server_name: taskfold
listen: "127.0.0.1:{port}"
pid_file: {pid}
max_payload: 8MB
jetstream {{ store_dir: {store} }}
accounts {{
  TASKFOLD {{
    jetstream: enabled
    users: [ {{ user: "{PROGRAM}", password: "{program}" }} ]
    exports: [
      {{ stream: "{prefix}.events.>", accounts: [FOLLOWERS] }}
      {{ stream: "{prefix}.log.adopted", accounts: [FOLLOWERS] }}
      {{ service: "$JS.API.INFO", accounts: [FOLLOWERS] }}
      {{ service: "$JS.API.STREAM.INFO.{stream}", accounts: [FOLLOWERS] }}
      {{ service: "$JS.API.DIRECT.GET.{stream}", accounts: [FOLLOWERS] }}
    ]
  }}
  FOLLOWERS {{
    users: [ {{ user: "{FOLLOWER}", password: "{follower}", permissions: {{
      publish: ["$JS.API.STREAM.INFO.{stream}", "$JS.API.DIRECT.GET.{stream}"]
      subscribe: ["{prefix}.events.>", "{prefix}.log.adopted", "_INBOX_{FOLLOWER}.>"]
    }} }} ]
    imports: [
      {{ stream: {{ account: TASKFOLD, subject: "{prefix}.events.>" }} }}
      {{ stream: {{ account: TASKFOLD, subject: "{prefix}.log.adopted" }} }}
      {{ service: {{ account: TASKFOLD, subject: "$JS.API.INFO" }} }}
      {{ service: {{ account: TASKFOLD, subject: "$JS.API.STREAM.INFO.{stream}" }} }}
      {{ service: {{ account: TASKFOLD, subject: "$JS.API.DIRECT.GET.{stream}" }} }}
    ]
  }}
}}
"#
        )
    }
}

impl Passwords {
    /// Reads the passwords of the last run, or makes new ones.
    fn of(file: &Path) -> anyhow::Result<Self> {
        match std::fs::read(file) {
            Ok(kept) => {
                return serde_json::from_slice(&kept)
                    .with_context(|| format!("{} has no passwords: delete it to get new ones", file.display()));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).context("reading the passwords of NATS"),
        }
        let [program, follower] = std::array::from_fn(|_| {
            rand::rng().sample_iter(Alphanumeric).take(PASSWORD_CHARS).map(char::from).collect()
        });
        let new = Self { program, follower };
        RunAs::Ourselves
            .private_file(file, &serde_json::to_string_pretty(&new)?)
            .context("saving the passwords of NATS")?;
        Ok(new)
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
        // The server's user may not be allowed to enter the current folder.
        command.current_dir("/").arg("-c").arg(self.settings());
        self.run_as.apply(&mut command);
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
    RunAs::Ourselves.private_file(file, &port.to_string()).context("saving the port of nats-server")?;
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
