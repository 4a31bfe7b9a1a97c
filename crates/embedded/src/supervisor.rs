//! Supervision of one server: starts it, restarts it when it ends, and stops it gracefully.

use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

use super::child::{StderrTail, spawn};

const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
const MAX_BACK_OFF: Duration = Duration::from_secs(5);
/// Time up after which the back-off starts over.
const SETTLED: Duration = Duration::from_secs(10);
/// Limit of a start, in which PostgreSQL may have to replay its log.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Limit of a graceful stop, after which the server is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Attempts of the first start: leftovers of a killed run may take a moment to disappear, a wrong setting never does.
const FIRST_ATTEMPTS: u32 = 5;

/// State of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerState {
    /// Starting for the first time.
    Starting,
    /// Ready for connections.
    Up,
    /// Ended, and about to be started again.
    Restarting,
    /// Ended on request, or because it never started.
    Stopped,
}

/// Request to a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Stop,
    /// Ends the server and starts it again.
    Restart,
}

/// Restarts a server that runs and does not work.
#[derive(Debug, Clone)]
pub struct Restarter(mpsc::Sender<Order>);

impl Restarter {
    pub fn restart(&self) {
        // Without a supervisor, the program is ending.
        let _ = self.0.send(Order::Restart);
    }
}

impl std::fmt::Display for ServerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
        })
    }
}

/// Status of a server, for health checks and tests.
#[derive(Debug, Clone)]
pub struct ServerStatus {
    pub name: &'static str,
    pub state: ServerState,
    pub pid: Option<u32>,
    /// Number of restarts.
    pub restarts: u32,
}

/// Way to run one kind of server.
pub(super) trait Recipe: Send + 'static {
    fn name(&self) -> &'static str;
    /// Removes leftovers of a killed server. Runs before every start.
    fn prepare(&self) -> anyhow::Result<()>;
    fn command(&self) -> Command;
    /// Tells whether the process accepts connections. Must not block for long.
    fn is_ready(&self, pid: u32) -> bool;
    fn stop_signal(&self) -> Signal;
}

/// A server, supervised by a thread of its own.
pub(super) struct Supervised {
    status: watch::Receiver<ServerStatus>,
    failure: watch::Receiver<Option<String>>,
    orders: mpsc::Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Supervised {
    pub(super) fn start(recipe: impl Recipe) -> std::io::Result<Self> {
        let (status_tx, status) =
            watch::channel(ServerStatus { name: recipe.name(), state: ServerState::Starting, pid: None, restarts: 0 });
        let (failure_tx, failure) = watch::channel(None);
        let (orders, ordered) = mpsc::channel();
        // A thread and not a task: child processes live as long as the thread that spawned them, which must not depend
        // on an async runtime (tests have many).
        let thread = std::thread::Builder::new().name(format!("{}-supervisor", recipe.name())).spawn(move || {
            Supervisor { recipe, status: status_tx, failure: failure_tx, ordered, tail: StderrTail::default() }.run();
        })?;
        Ok(Self { status, failure, orders, thread: Some(thread) })
    }

    pub(super) fn status(&self) -> ServerStatus {
        self.status.borrow().clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<ServerStatus> {
        self.status.clone()
    }

    pub(super) fn restarter(&self) -> Restarter {
        Restarter(self.orders.clone())
    }

    /// Waits for the first time that the server is up.
    pub(super) async fn until_up(&self) -> anyhow::Result<()> {
        let mut status = self.status.clone();
        let state = status.wait_for(|s| matches!(s.state, ServerState::Up | ServerState::Stopped)).await;
        if state.is_ok_and(|s| s.state == ServerState::Up) {
            return Ok(());
        }
        let reason = self.failure.borrow().clone();
        anyhow::bail!(reason.unwrap_or_else(|| "the server was stopped".into()))
    }

    /// Requests a graceful stop, which `join` waits for.
    pub(super) fn ask_to_stop(&self) {
        let _ = self.orders.send(Order::Stop);
    }

    pub(super) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Supervisor<R> {
    recipe: R,
    status: watch::Sender<ServerStatus>,
    failure: watch::Sender<Option<String>>,
    ordered: mpsc::Receiver<Order>,
    tail: StderrTail,
}

/// End of one run of a server.
enum End {
    Ordered(Order),
    Died(String),
}

impl<R: Recipe> Supervisor<R> {
    fn run(self) {
        let name = self.recipe.name();
        let mut back_off = FIRST_BACK_OFF;
        let mut attempts = 0;
        let mut was_up = false;
        loop {
            attempts += 1;
            let mut up_since = None;
            let ended = self.run_once(&mut up_since);
            was_up |= up_since.is_some();
            let reason = match ended {
                End::Ordered(Order::Stop) => break,
                End::Ordered(Order::Restart) => "a restart was requested".to_owned(),
                End::Died(reason) => reason,
            };
            if !was_up && attempts == FIRST_ATTEMPTS {
                self.failure.send_replace(Some(format!("{name} does not start: {reason}\n{}", self.tail.text())));
                break;
            }
            if up_since.is_some_and(|since| since.elapsed() > SETTLED) {
                back_off = FIRST_BACK_OFF;
            }
            self.set(|s| {
                s.pid = None;
                s.restarts += u32::from(up_since.is_some());
                s.state = if was_up { ServerState::Restarting } else { ServerState::Starting };
            });
            if was_up {
                tracing::warn!(
                    server = name,
                    reason,
                    back_off_ms = back_off.as_millis(),
                    "embedded server ended, starting it again"
                );
            }
            if self.order_within(back_off) == Some(Order::Stop) {
                break;
            }
            back_off = (back_off * 2).min(MAX_BACK_OFF);
        }
        self.set(|s| {
            s.pid = None;
            s.state = ServerState::Stopped;
        });
    }

    fn run_once(&self, up_since: &mut Option<Instant>) -> End {
        if let Err(error) = self.recipe.prepare() {
            return End::Died(format!("{error:#}"));
        }
        let spawned = spawn(self.recipe.name(), self.recipe.command(), self.recipe.stop_signal(), &self.tail);
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => return End::Died(format!("it could not be executed: {error}")),
        };
        let pid = child.id();
        self.set(|s| s.pid = Some(pid));
        let started = Instant::now();
        loop {
            match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => return End::Died(format!("it ended with {status}")),
                Err(error) => return End::Died(format!("its status cannot be read: {error}")),
            }
            if up_since.is_none() {
                if self.recipe.is_ready(pid) {
                    *up_since = Some(Instant::now());
                    self.set(|s| s.state = ServerState::Up);
                    tracing::info!(
                        server = self.recipe.name(),
                        pid,
                        took_ms = started.elapsed().as_millis(),
                        "embedded server is up"
                    );
                } else if started.elapsed() > READY_LIMIT {
                    self.end(&mut child);
                    return End::Died(format!("it was not ready after {} s", READY_LIMIT.as_secs()));
                }
            }
            let pause = Duration::from_millis(if up_since.is_some() { 50 } else { 10 });
            if let Some(order) = self.order_within(pause) {
                self.end(&mut child);
                return End::Ordered(order);
            }
        }
    }

    /// Stops the server gracefully, and kills it after the limit.
    fn end(&self, child: &mut Child) {
        // Not reaped yet, so that the id is still that of this child.
        if let Ok(pid) = i32::try_from(child.id()) {
            let _ = kill(Pid::from_raw(pid), self.recipe.stop_signal());
        }
        let until = Instant::now() + STOP_LIMIT;
        while let Ok(None) = child.try_wait() {
            if Instant::now() > until {
                tracing::warn!(server = self.recipe.name(), "embedded server does not stop, killing it");
                let _ = child.kill();
                let _ = child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for an order. A closed channel means stop, because the owner of the server was dropped.
    fn order_within(&self, time: Duration) -> Option<Order> {
        match self.ordered.recv_timeout(time) {
            Ok(order) => Some(order),
            Err(mpsc::RecvTimeoutError::Disconnected) => Some(Order::Stop),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
        }
    }

    fn set(&self, change: impl FnOnce(&mut ServerStatus)) {
        self.status.send_modify(change);
    }
}
