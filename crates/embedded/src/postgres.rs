//! The private PostgreSQL: a cluster in the data dir, which accepts connections on a Unix socket only.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use super::Durability;
use super::binaries::{self, PostgresBinaries};
use super::orphans;
use super::privileges::RunAs;
use super::server_dir::{server_dir, short_name};
use super::supervisor::Recipe;

/// Maximum length of a socket's path: `sun_path` has 108 bytes on Linux and 104 on macOS, the final zero included.
const MAX_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
const SOCKET: &str = ".s.PGSQL.5432";
/// Name of the superuser.
pub(super) const SUPERUSER: &str = "postgres";
/// Content of `pg_hba.conf`: whoever can open the socket may sign in as the superuser or as the owner. The roles of the
/// program have passwords, and cannot become another role.
const ACCESS: &str = "# Written at every start.\nlocal all postgres,taskfold trust\nlocal all all scram-sha-256\n";

pub(super) struct Postgres {
    binaries: PostgresBinaries,
    run_as: RunAs,
    cluster: PathBuf,
    socket_dir: PathBuf,
    durability: Durability,
}

impl Postgres {
    /// Finds the binaries, and creates the cluster the first time, with this major version. Blocks for seconds then.
    pub(super) fn set_up(data_dir: &Path, durability: Durability, major: Option<u32>) -> anyhow::Result<Self> {
        let run_as = RunAs::decide()?;
        let dir = server_dir(data_dir, &run_as, "postgres")?;
        let cluster = dir.join("postgres");
        let binaries = binaries::postgres(data_dir, &run_as, major_of(&cluster)?.or(major))?;
        let postgres = Self { socket_dir: socket_dir(&dir, &run_as)?, binaries, run_as, cluster, durability };
        if !postgres.cluster.exists() {
            postgres.init().context("creating the embedded database")?;
        }
        postgres.end_orphan();
        Ok(postgres)
    }

    pub(super) fn url(&self, user: &str, database: &str) -> String {
        // The host before the slash is ignored when `host=` names a socket folder, but sqlx requires one.
        format!("postgres://{user}@localhost/{database}?host={}", self.socket_dir.display())
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.binaries.bin.join(name));
        // The server's user may not be allowed to enter the current folder.
        command.current_dir("/").env_remove("LC_ALL").env("LC_MESSAGES", "C");
        self.run_as.apply(&mut command);
        command
    }

    /// Creates the cluster in a temporary folder and renames it, so that an existing cluster is always complete.
    fn init(&self) -> anyhow::Result<()> {
        let unfinished = self.cluster.with_extension("unfinished");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).context("removing an unfinished cluster")?;
        }
        self.run_as.private_dir(&unfinished)?;
        let mut initdb = self.tool("initdb");
        initdb.arg("-D").arg(&unfinished).args([
            "-U",
            SUPERUSER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-instructions",
        ]);
        if self.binaries.major >= 17 {
            // Sorts by code point and maps upper and lower case beyond ASCII, in the same way on every platform.
            initdb.args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
        }
        if self.durability == Durability::TestsOnly {
            initdb.arg("--no-sync");
        }
        let output = initdb.stdin(Stdio::null()).output().context("running initdb")?;
        anyhow::ensure!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr).trim());
        std::fs::rename(&unfinished, &self.cluster).context("renaming the folder of the new cluster")
    }

    fn access_file(&self) -> PathBuf {
        self.cluster.join("taskfold_hba.conf")
    }

    fn pid_file(&self) -> PathBuf {
        self.cluster.join("postmaster.pid")
    }

    /// Ends a server that a killed program left behind: with the data dir locked, there can be no other.
    fn end_orphan(&self) {
        if let Some(pid) = orphans::pid_in(&self.pid_file())
            && orphans::mentions(pid, &self.cluster)
        {
            orphans::end("postgres", pid, &self.cluster, Signal::SIGINT, Duration::from_secs(20));
        }
    }

    /// Removes a lock file with the id of a process that is not the server, which would keep PostgreSQL from starting.
    /// One whose process has ended is kept: PostgreSQL reads from it which shared memory may still be in use.
    fn clear_lock(&self, file: &Path) -> anyhow::Result<()> {
        let Some(pid) = orphans::pid_in(file) else {
            return Ok(());
        };
        if orphans::is_alive(pid) && !orphans::mentions(pid, &self.cluster) {
            tracing::info!(file = %file.display(), pid, "removing the lock of a server that has ended");
            std::fs::remove_file(file).with_context(|| format!("removing {}", file.display()))?;
        }
        Ok(())
    }
}

impl Recipe for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn prepare(&self) -> anyhow::Result<()> {
        self.run_as.private_dir(&self.socket_dir)?;
        self.run_as.private_file(&self.access_file(), ACCESS).context("writing the access rules of PostgreSQL")?;
        self.clear_lock(&self.pid_file())?;
        self.clear_lock(&self.socket_dir.join(format!("{SOCKET}.lock")))
    }

    fn command(&self) -> Command {
        let mut command = self.tool("postgres");
        command.arg("-D").arg(&self.cluster);
        // glibc's allocator: a batch of commands needs some hundred KiB for a moment, which would otherwise be returned
        // to the system and faulted in again for every batch.
        command.envs([("MALLOC_TRIM_THRESHOLD_", "16777216"), ("MALLOC_MMAP_THRESHOLD_", "16777216")]);
        let sockets = format!("unix_socket_directories={}", self.socket_dir.display());
        let access = format!("hba_file={}", self.access_file().display());
        let mut settings = vec![
            &access,
            // No TCP: permission to connect is permission to enter the socket's folder.
            "listen_addresses=",
            &sockets,
            "unix_socket_permissions=0700",
            "port=5432",
            "cluster_name=taskfold",
            // Allocated as it is used. With less, an append has to write dirty pages to disk before it gets a new one.
            "shared_buffers=512MB",
            "bgwriter_lru_maxpages=1000",
            "max_wal_size=2GB",
            // Queries are short; compiling them costs more than it saves.
            "jit=off",
            "log_checkpoints=off",
        ];
        match self.durability {
            Durability::Full => settings.push("max_connections=200"),
            // Many test databases at once, none of which needs to survive a crash.
            Durability::TestsOnly => {
                settings.extend(["max_connections=500", "fsync=off", "synchronous_commit=off", "full_page_writes=off"]);
                if self.binaries.major >= 16 {
                    // Tests sign in often, and their passwords need no protection against guessing.
                    settings.push("scram_iterations=1");
                }
            }
        }
        for setting in settings {
            command.args(["-c", setting]);
        }
        command
    }

    /// Reads the state in the eighth line of the pid file, for which `pg_ctl` waits too.
    fn is_ready(&self, pid: u32) -> bool {
        std::fs::read_to_string(self.pid_file()).is_ok_and(|text| says_ready(&text, pid))
    }

    /// Signal of the "fast shutdown", which rolls back open transactions and flushes, so that the next start needs no
    /// recovery.
    fn stop_signal(&self) -> Signal {
        Signal::SIGINT
    }
}

fn says_ready(pid_file: &str, pid: u32) -> bool {
    let mut lines = pid_file.lines();
    lines.next() == Some(pid.to_string().as_str()) && lines.nth(6).is_some_and(|state| state.trim() == "ready")
}

/// Major version that created the cluster, if there is one.
fn major_of(cluster: &Path) -> anyhow::Result<Option<u32>> {
    match std::fs::read_to_string(cluster.join("PG_VERSION")) {
        Ok(text) => Ok(Some(text.trim().parse().context("reading PG_VERSION of the embedded database")?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("reading PG_VERSION of the embedded database"),
    }
}

/// Folder of the socket: in the folder of the data if its path is short and plain enough for a socket and a setting,
/// else below /tmp under a name derived from the path.
fn socket_dir(dir: &Path, run_as: &RunAs) -> anyhow::Result<PathBuf> {
    let usual = dir.join("socket");
    if fits(&usual) {
        return Ok(usual);
    }
    let in_tmp = PathBuf::from(format!("/tmp/taskfold-{}", short_name(dir)));
    // Anybody may create folders in /tmp: one of another user could contain the socket of another server.
    let owner = match run_as {
        RunAs::Ourselves => geteuid().as_raw(),
        RunAs::Dropped { uid, .. } => *uid,
    };
    match std::fs::symlink_metadata(&in_tmp) {
        Ok(meta) => anyhow::ensure!(
            meta.is_dir() && meta.uid() == owner,
            "{} belongs to another user; choose a data dir with a shorter path, which does not need it",
            in_tmp.display()
        ),
        Err(_) => std::fs::create_dir(&in_tmp).with_context(|| format!("creating {}", in_tmp.display()))?,
    }
    tracing::info!(socket_dir = %in_tmp.display(), "the data dir's path is too long for a Unix socket");
    Ok(in_tmp)
}

fn fits(dir: &Path) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    dir.join(SOCKET).as_os_str().len() <= MAX_SOCKET_PATH && dir.to_str().is_some_and(|text| text.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_or_unusual_path_is_not_used_for_a_socket() {
        assert!(fits(Path::new("/srv/taskfold/.taskfold/socket")));
        assert!(!fits(&Path::new("/srv").join("x".repeat(100))));
        assert!(!fits(Path::new("/srv/one, two/socket")));
        assert_eq!(short_name(Path::new("/a")), short_name(Path::new("/a")));
        assert_ne!(short_name(Path::new("/a")), short_name(Path::new("/b")));
    }

    #[test]
    fn readiness_is_read_from_the_pid_file_of_this_process() {
        let file = "4711\n/data\n1780000000\n5432\n/sockets\n\n  123 456\nready   \n";
        assert!(says_ready(file, 4711));
        assert!(!says_ready(file, 4712));
        assert!(!says_ready(&file.replace("ready   ", "starting"), 4711));
        assert!(!says_ready("4711\n/data\n", 4711));
    }
}
