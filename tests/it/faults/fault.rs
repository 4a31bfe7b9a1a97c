//! Faults, and how each is caused.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::system::{System, throttle};
use crate::harness::{Disk, NetworkProxy, Process};

/// Delay of each piece of data on a slow network.
const DELAY: Duration = Duration::from_millis(100);
/// Pause between the kill of a process and its restart.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// Run time of a process with a wrong clock.
const CLOCK_TIME: Duration = Duration::from_secs(10);
/// Time between a backup and its restore.
const SINCE_BACKUP: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Postgres,
    Nats,
    /// The storage of attachments.
    Attachments,
    CommandApi,
    QueryApi,
    /// The active projector.
    Projector,
    Network(Pair),
}

/// Endpoints of a network connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    CommandApiPostgres,
    QueryApiPostgres,
    ProjectorPostgres,
    QueryApiNats,
    ProjectorNats,
    ClientsCommandApi,
    ClientsQueryApi,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// SIGKILL and a restart. For a network, all connections are closed and none can be opened for some seconds.
    Killed,
    /// SIGSTOP for this number of seconds. For a network, all data arrives later.
    Frozen(u64),
    /// Connections stay open, and no data gets through for this number of seconds; those that were open stay so
    /// permanently.
    Silent(u64),
    /// A fifth of the run time, for this number of seconds. For a network, every piece is late.
    Slow(u64),
    /// A full disk, for this number of seconds.
    Full(u64),
    /// A read-only disk or server, for this number of seconds.
    ReadOnly(u64),
    /// Restored to its state of some seconds ago.
    Restored,
    /// The clock of its machine is changed by this number of minutes.
    Clock(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub target: Target,
    pub how: How,
}

pub const fn fault(target: Target, how: How) -> Fault {
    Fault { target, how }
}

/// All faults.
pub fn all() -> Vec<Fault> {
    use How::*;
    use Pair::*;
    let everywhere = [Killed, Frozen(1), Frozen(10), Frozen(60), Slow(10)];
    let besides = |target| match target {
        Target::Postgres => vec![Silent(10), Full(10), ReadOnly(10), Restored],
        Target::Nats => vec![Silent(10), Full(10), Restored],
        Target::CommandApi | Target::QueryApi | Target::Projector => vec![Clock(8), Clock(-8)],
        Target::Network(_) => vec![Silent(10)],
        Target::Attachments => vec![],
    };
    let servers_and_roles =
        [Target::Postgres, Target::Nats, Target::CommandApi, Target::QueryApi, Target::Projector].into_iter();
    let attachments = [Full(10), ReadOnly(10)].map(|how| fault(Target::Attachments, how));
    let pairs = [
        CommandApiPostgres,
        QueryApiPostgres,
        ProjectorPostgres,
        QueryApiNats,
        ProjectorNats,
        ClientsCommandApi,
        ClientsQueryApi,
    ];
    servers_and_roles
        .chain(pairs.map(Target::Network))
        .flat_map(|target| everywhere.into_iter().chain(besides(target)).map(move |how| fault(target, how)))
        .chain(attachments)
        .collect()
}

/// Beginning of a fault, and the end of its cause.
pub struct Inflicted {
    pub began: Instant,
    pub ended: Instant,
}

impl Fault {
    /// Requirement that is missing on this machine for causing the fault.
    pub fn missing_requirement(self, system: &System) -> Option<&'static str> {
        match (self.target, self.how) {
            (_, How::Full(_)) | (Target::Attachments, _) if system.disks.is_none() => {
                Some("the right to mount a file system")
            }
            (_, How::Clock(_)) if faketime().is_none() => Some("libfaketime"),
            _ => None,
        }
    }

    pub async fn inflict(self, system: &mut System) -> Inflicted {
        match (self.target, self.how) {
            (Target::Postgres, How::Restored) => restore_postgres(system).await,
            (Target::Nats, How::Restored) => restore_nats(system).await,
            (Target::Projector, How::Clock(minutes)) => {
                shift_clocks(&mut system.projectors.iter_mut().collect::<Vec<_>>(), minutes).await
            }
            (Target::CommandApi, How::Clock(minutes)) => shift_clocks(&mut [&mut system.commands], minutes).await,
            (Target::QueryApi, How::Clock(minutes)) => shift_clocks(&mut [&mut system.reads], minutes).await,
            _ => {
                let began = Instant::now();
                let ended = self.cause(system).await;
                Inflicted { began, ended }
            }
        }
    }

    /// Causes the fault until it is over; returns the time at which it ended.
    async fn cause(self, system: &mut System) -> Instant {
        let time = self.time();
        match self.target {
            Target::Postgres | Target::Nats => self.cause_in_server(system, time).await,
            Target::Attachments => {
                cause_in_attachments(self.how, &system.disks.as_ref().unwrap().attachments, time).await
            }
            Target::CommandApi => cause_in_role(self.how, &mut system.commands, time).await,
            Target::QueryApi => cause_in_role(self.how, &mut system.reads, time).await,
            Target::Projector => {
                let leader = system.leader().await;
                cause_in_role(self.how, &mut system.projectors[leader], time).await;
            }
            Target::Network(pair) => cause_in_network(self.how, &proxies(pair, system), time).await,
        }
        Instant::now()
    }

    fn time(self) -> Duration {
        match self.how {
            How::Frozen(seconds)
            | How::Silent(seconds)
            | How::Slow(seconds)
            | How::Full(seconds)
            | How::ReadOnly(seconds) => Duration::from_secs(seconds),
            How::Killed | How::Restored | How::Clock(_) => RESTART_PAUSE,
        }
    }

    async fn cause_in_server(self, system: &System, time: Duration) {
        let (name, pairs): (_, &[Pair]) = match self.target {
            Target::Postgres => {
                ("postgres", &[Pair::CommandApiPostgres, Pair::QueryApiPostgres, Pair::ProjectorPostgres])
            }
            _ => ("nats", &[Pair::QueryApiNats, Pair::ProjectorNats]),
        };
        match self.how {
            // Its supervisor restarts it.
            How::Killed => system.signal_server(name, Signal::SIGKILL),
            How::Frozen(_) => {
                // SIGSTOP to a running server would miss new children.
                system.signal_server(name, Signal::SIGSTOP);
                system.signal_server(name, Signal::SIGSTOP);
                sleep(time).await;
                system.signal_server(name, Signal::SIGCONT);
            }
            How::Slow(_) => throttle(time, |signal| system.signal_server(name, signal)).await,
            How::Silent(_) => {
                let proxies: Vec<NetworkProxy> = pairs.iter().flat_map(|&pair| proxies(pair, system)).collect();
                cause_in_network(self.how, &proxies, time).await;
            }
            How::Full(_) => {
                let disks = system.disks.as_ref().unwrap();
                let disk = if name == "postgres" { &disks.postgres } else { &disks.nats };
                disk.full(time).await;
                if name == "nats" {
                    // It does not resume writing by itself, which readiness reports: an operator, or the supervisor of
                    // the all-in-one, restarts it.
                    system.until_publication_is_degraded().await;
                    system.signal_server(name, Signal::SIGTERM);
                }
            }
            How::ReadOnly(_) => {
                system.set_read_only(true).await;
                sleep(time).await;
                system.set_read_only(false).await;
            }
            How::Restored | How::Clock(_) => unreachable!("not of a server"),
        }
    }
}

async fn cause_in_attachments(how: How, disk: &Disk, time: Duration) {
    match how {
        How::Full(_) => disk.full(time).await,
        How::ReadOnly(_) => {
            disk.set_read_only(true).await;
            sleep(time).await;
            disk.set_read_only(false).await;
        }
        How::Killed | How::Frozen(_) | How::Silent(_) | How::Slow(_) | How::Restored | How::Clock(_) => {
            unreachable!("not of a disk")
        }
    }
}

async fn cause_in_role(how: How, process: &mut Process, time: Duration) {
    match how {
        How::Killed => {
            process.kill();
            sleep(time).await;
            process.start_again();
        }
        How::Frozen(_) => {
            process.signal(Signal::SIGSTOP);
            sleep(time).await;
            process.signal(Signal::SIGCONT);
        }
        How::Slow(_) => throttle(time, |signal| process.signal(signal)).await,
        How::Silent(_) | How::Full(_) | How::ReadOnly(_) | How::Restored | How::Clock(_) => {
            unreachable!("not of a role")
        }
    }
}

async fn cause_in_network(how: How, proxies: &[NetworkProxy], time: Duration) {
    for proxy in proxies {
        match how {
            How::Killed => proxy.cut(),
            How::Frozen(_) => proxy.hold(),
            How::Silent(_) => proxy.silence(),
            How::Slow(_) => proxy.slow_down(DELAY),
            How::Full(_) | How::ReadOnly(_) | How::Restored | How::Clock(_) => unreachable!("not of a network"),
        }
    }
    sleep(time).await;
    for proxy in proxies {
        proxy.repair();
    }
}

fn proxies(pair: Pair, system: &System) -> Vec<NetworkProxy> {
    let proxies = &system.proxies;
    match pair {
        Pair::CommandApiPostgres => vec![proxies.commands_to_postgres.clone()],
        Pair::QueryApiPostgres => vec![proxies.reads_to_postgres.clone()],
        Pair::ProjectorPostgres => proxies.projectors_to_postgres.to_vec(),
        Pair::QueryApiNats => vec![proxies.reads_to_nats.clone()],
        Pair::ProjectorNats => proxies.projectors_to_nats.to_vec(),
        Pair::ClientsCommandApi => vec![proxies.clients_to_commands.clone()],
        Pair::ClientsQueryApi => vec![proxies.clients_to_reads.clone()],
    }
}

/// Restores PostgreSQL as an operator does, under a running system.
async fn restore_postgres(system: &System) -> Inflicted {
    let backup = system.backup().await;
    sleep(SINCE_BACKUP).await;
    let began = Instant::now();
    backup.restore().await;
    sleep(SINCE_BACKUP).await;
    let (done, output) = system.run("adopt").await;
    assert!(done, "{output}");
    Inflicted { began, ended: Instant::now() }
}

async fn restore_nats(system: &System) -> Inflicted {
    let store = system.stack.data_dir().join("nats").join("store");
    let (files, copy) = (store.join("jetstream"), store.join("copy"));
    let run = |program: &str, arguments: &[&std::ffi::OsStr]| {
        assert!(Command::new(program).args(arguments).status().unwrap().success());
    };
    system.signal_server("nats", Signal::SIGSTOP);
    run("cp", &["-a".as_ref(), files.as_ref(), copy.as_ref()]);
    system.signal_server("nats", Signal::SIGCONT);
    sleep(SINCE_BACKUP).await;
    let began = Instant::now();
    system.signal_server("nats", Signal::SIGSTOP);
    run("rm", &["-r".as_ref(), files.as_ref()]);
    run("mv", &[copy.as_ref(), files.as_ref()]);
    system.signal_server("nats", Signal::SIGKILL);
    Inflicted { began, ended: Instant::now() }
}

/// Runs the processes on machines with wrong clocks, and then on others again.
async fn shift_clocks(processes: &mut [&mut Process], minutes: i64) -> Inflicted {
    let library = faketime().unwrap().display().to_string();
    let offset = format!("{minutes:+}m");
    let wrong = [("LD_PRELOAD", library.as_str()), ("FAKETIME", &offset), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
    let began = Instant::now();
    for environment in [&wrong[..], &[]] {
        for process in processes.iter_mut() {
            process.kill();
            process.set_environment(environment);
            process.start_again();
        }
        if !environment.is_empty() {
            sleep(CLOCK_TIME).await;
        }
    }
    Inflicted { began, ended: Instant::now() }
}

/// Path of the library that changes the time of a program, from the package of the same name.
fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|library| library.exists())
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.target)?;
        let network = matches!(self.target, Target::Network(_));
        match self.how {
            How::Killed if network => write!(f, "cut for 1 s"),
            How::Killed => write!(f, "killed"),
            How::Frozen(seconds) => write!(f, "frozen for {seconds} s"),
            How::Silent(seconds) => write!(f, "silent for {seconds} s"),
            How::Slow(seconds) => write!(f, "slow for {seconds} s"),
            How::Full(seconds) if self.target == Target::Nats => {
                write!(f, "disk full for {seconds} s, then started again when readiness reports that it is stuck")
            }
            How::Full(seconds) => write!(f, "disk full for {seconds} s"),
            How::ReadOnly(seconds) => write!(f, "read-only for {seconds} s"),
            How::Restored => write!(f, "restored to an older state"),
            How::Clock(minutes) => write!(f, "clock {minutes:+} min"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::Nats => "NATS",
            Self::Attachments => "attachments",
            Self::CommandApi => "command-api",
            Self::QueryApi => "query-api",
            Self::Projector => "projector",
            Self::Network(Pair::CommandApiPostgres) => "command-api to PostgreSQL",
            Self::Network(Pair::QueryApiPostgres) => "query-api to PostgreSQL",
            Self::Network(Pair::ProjectorPostgres) => "projectors to PostgreSQL",
            Self::Network(Pair::QueryApiNats) => "query-api to NATS",
            Self::Network(Pair::ProjectorNats) => "projectors to NATS",
            Self::Network(Pair::ClientsCommandApi) => "clients to command-api",
            Self::Network(Pair::ClientsQueryApi) => "clients to query-api",
        })
    }
}
