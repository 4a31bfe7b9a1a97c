//! The listeners of one thread, driven by one event loop.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use serde::{Deserialize, Serialize};

use super::connection::{Connection, ConnectionState};
use super::frames::{Frame, Kind};
use super::latencies::Latencies;
use super::received::Received;
use super::sockets;
use super::threads::Plan;
use crate::monotonic;

const WAKE: Token = Token(usize::MAX);
/// Reconnection delay of a listener that received no `retry:`: about that of browsers.
const RETRY: Duration = Duration::from_secs(3);
/// Upper bound of the random delay of listeners that reconnect immediately.
const JITTER: Duration = Duration::from_secs(1);
const SCRATCH_BYTES: usize = 64 * 1024;

/// Reconnection policy of a listener whose connection ends: it reconnects to the next address with `Last-Event-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reconnect {
    /// No reconnection: the end is a failure.
    Never,
    /// After the delay that the server sent, or 3 s.
    AfterRetry,
    /// Within one second.
    Immediately,
}

pub enum ThreadRequest {
    Reached(Arc<Vec<u64>>, Sender<usize>),
    Report(Sender<Report>),
    End,
}

/// Counters that other threads can read during the run.
#[derive(Default)]
pub struct Progress {
    pub connected: AtomicUsize,
    pub changes: AtomicU64,
    /// The first failure.
    failure: Mutex<Option<String>>,
}

impl Progress {
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fail(&self, why: String) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }
}

/// Frames and events that the listeners received.
#[derive(Clone, Serialize, Deserialize)]
pub struct Report {
    /// Times from sending a command to receiving its frame.
    pub latencies: Latencies,
    /// Times at which the first and the last listener received the frame of a command, by the time at which that was
    /// sent.
    pub reached: HashMap<u64, (u64, u64)>,
    /// Durations without a connection, one for each lost connection.
    pub outages: Latencies,
    pub heartbeats: u64,
    pub drains: u64,
    /// Number of `lagging`, `degraded` and similar frames.
    pub notices: u64,
    /// Channel of each listener, and the frames that it received.
    pub received: Vec<(usize, Received)>,
}

impl Report {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            latencies: Latencies::new()?,
            reached: HashMap::new(),
            outages: Latencies::new()?,
            heartbeats: 0,
            drains: 0,
            notices: 0,
            received: Vec::new(),
        })
    }

    pub fn add(&mut self, other: Self) -> anyhow::Result<()> {
        self.latencies.add(&other.latencies)?;
        self.outages.add(&other.outages)?;
        for (sent, (first, last)) in other.reached {
            self.reach(sent, first, last);
        }
        self.heartbeats += other.heartbeats;
        self.drains += other.drains;
        self.notices += other.notices;
        self.received.extend(other.received);
        Ok(())
    }

    /// Subtracts an earlier report from the counters.
    pub fn since(mut self, before: &Self) -> anyhow::Result<Self> {
        self.outages.take_away(&before.outages)?;
        self.latencies.take_away(&before.latencies)?;
        self.heartbeats -= before.heartbeats;
        self.drains -= before.drains;
        self.notices -= before.notices;
        Ok(self)
    }

    fn reach(&mut self, sent: u64, first: u64, last: u64) {
        let reached = self.reached.entry(sent).or_insert((first, last));
        *reached = (reached.0.min(first), reached.1.max(last));
    }
}

/// One listener.
struct ListenerState {
    /// Index among all listeners.
    number: usize,
    /// Number of connection attempts so far: each one goes to the next address.
    attempts: usize,
    connection: Option<Connection>,
    greeted: bool,
    received: Received,
    retry: Option<Duration>,
    disconnected_since: Option<Instant>,
}

/// The listeners of one thread.
pub struct EventLoop {
    plan: Arc<Plan>,
    progress: Arc<Progress>,
    requests: Receiver<ThreadRequest>,
    poll: Poll,
    states: Vec<ListenerState>,
    /// Listeners that connect as soon as fewer connections are being opened.
    waiting: VecDeque<usize>,
    under_way: usize,
    reconnecting: BinaryHeap<Reverse<(Instant, usize)>>,
    report: Report,
    scratch: Vec<u8>,
}

impl EventLoop {
    pub fn new(
        plan: Arc<Plan>,
        thread: usize,
        progress: Arc<Progress>,
        requests: Receiver<ThreadRequest>,
    ) -> anyhow::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mine = (thread..plan.listeners.len()).step_by(plan.threads.max(1));
        let states: Vec<ListenerState> = mine.map(ListenerState::new).collect();
        let event_loop = Self {
            waiting: (0..states.len()).collect(),
            states,
            progress,
            requests,
            poll,
            under_way: 0,
            reconnecting: BinaryHeap::new(),
            report: Report::new()?,
            scratch: vec![0; SCRATCH_BYTES],
            plan,
        };
        Ok((event_loop, waker))
    }

    pub fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        loop {
            self.connect_some();
            let next = self.reconnecting.peek().map(|Reverse((at, _))| at.saturating_duration_since(Instant::now()));
            match self.poll.poll(&mut events, next) {
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    return self.progress.fail(format!("polling: {error}"));
                }
                _ => {}
            }
            for event in &events {
                match event.token() {
                    WAKE => {}
                    Token(index) => self.drive(index, event.is_read_closed()),
                }
            }
            while let Some(index) = self.due() {
                self.waiting.push_back(index);
            }
            while let Ok(request) = self.requests.try_recv() {
                match request {
                    ThreadRequest::End => return,
                    ThreadRequest::Report(answer) => drop(answer.send(self.current_report())),
                    ThreadRequest::Reached(positions, answer) => drop(answer.send(self.reached(&positions))),
                }
            }
        }
    }

    fn due(&mut self) -> Option<usize> {
        let Reverse((at, _)) = self.reconnecting.peek()?;
        if *at > Instant::now() {
            return None;
        }
        self.reconnecting.pop().map(|Reverse((_, index))| index)
    }

    fn current_report(&self) -> Report {
        let received = self.states.iter().map(|state| (self.plan.listeners[state.number].channel, state.received));
        Report { received: received.collect(), ..self.report.clone() }
    }

    fn reached(&self, positions: &[u64]) -> usize {
        let channel = |state: &ListenerState| self.plan.listeners[state.number].channel;
        self.states.iter().filter(|state| state.greeted && state.received.cursor >= positions[channel(state)]).count()
    }

    fn connect_some(&mut self) {
        let at_once = (self.plan.at_once / self.plan.threads.max(1)).max(1);
        while self.under_way < at_once {
            let Some(index) = self.waiting.pop_front() else { return };
            self.under_way += 1;
            if let Err(error) = self.connect(index) {
                self.lost(index, &format!("connecting: {error}"));
            }
        }
    }

    fn connect(&mut self, index: usize) -> std::io::Result<()> {
        let state = &mut self.states[index];
        let addresses = &self.plan.addresses;
        let address = addresses[(state.number + state.attempts) % addresses.len()];
        state.attempts += 1;
        let mut socket = TcpStream::from_std(sockets::connect(address, self.plan.listeners[state.number].from)?);
        self.poll.registry().register(&mut socket, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        state.connection = Some(Connection::new(socket, state.request(&self.plan)));
        Ok(())
    }

    fn drive(&mut self, index: usize, closed: bool) {
        let state = &mut self.states[index];
        let Some(connection) = &mut state.connection else { return };
        let report = &mut self.report;
        let now = Cell::new(0);
        let was_greeted = state.greeted;
        let mut changes = 0;
        let outcome = connection.drive(
            closed,
            &mut self.scratch,
            || now.set(monotonic::now()),
            |frame| {
                changes += u64::from(frame.kind == Kind::Change);
                take(frame, now.get(), &mut state.received, report);
                state.greeted |= frame.kind == Kind::Hello;
                state.retry = frame.retry.map(|ms| Duration::from_millis(ms.into())).or(state.retry);
            },
        );
        if changes > 0 {
            self.progress.changes.fetch_add(changes, Ordering::Relaxed);
        }
        if state.greeted && !was_greeted {
            self.under_way -= 1;
            self.progress.connected.fetch_add(1, Ordering::Relaxed);
            if let Some(since) = state.disconnected_since.take() {
                self.report.outages.record(since.elapsed());
            }
        }
        match outcome {
            Ok(ConnectionState::Open) => {}
            Ok(ConnectionState::Ended) => self.lost(index, "the server ended the stream"),
            Err(error) => self.lost(index, &format!("{error:#}")),
        }
    }

    /// Handles a connection that ended or could not be opened.
    fn lost(&mut self, index: usize, why: &str) {
        let state = &mut self.states[index];
        state.connection = None;
        if std::mem::take(&mut state.greeted) {
            self.progress.connected.fetch_sub(1, Ordering::Relaxed);
            state.disconnected_since = Some(Instant::now());
        } else {
            self.under_way -= 1;
        }
        let wait = match self.plan.reconnect {
            Reconnect::Never => return self.progress.fail(format!("listener {}: {why}", state.number)),
            Reconnect::AfterRetry => state.retry.unwrap_or(RETRY),
            Reconnect::Immediately => JITTER.mul_f64((state.number * 7919 % 1000) as f64 / 1000.0),
        };
        self.reconnecting.push(Reverse((Instant::now() + wait, index)));
    }
}

impl ListenerState {
    fn new(number: usize) -> Self {
        Self {
            number,
            attempts: 0,
            connection: None,
            greeted: false,
            received: Received::default(),
            retry: None,
            disconnected_since: None,
        }
    }

    fn request(&self, plan: &Plan) -> Vec<u8> {
        let listener = plan.listeners[self.number];
        let (path, token) = (&plan.channels[listener.channel].path, &plan.tokens[listener.token]);
        let last = match self.received.from {
            Some(_) => format!("Last-Event-ID: {}\r\n", self.received.cursor),
            None => String::new(),
        };
        format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\n{last}\r\n")
            .into_bytes()
    }
}

fn take(frame: Frame, now: u64, received: &mut Received, report: &mut Report) {
    match (frame.kind, frame.id) {
        (Kind::Hello, Some(id)) => received.hello(id),
        (Kind::Change, Some(id)) => received.change(id),
        (_, Some(id)) => received.served(id),
        (_, None) => {}
    }
    match frame.kind {
        Kind::Change => {
            if let Some(sent) = frame.sent {
                report.latencies.record(monotonic::between(sent, now));
                report.reach(sent, now, now);
            }
        }
        Kind::Heartbeat => report.heartbeats += 1,
        Kind::Drain => report.drains += 1,
        Kind::Notice => report.notices += 1,
        Kind::Hello | Kind::Farewell | Kind::Presence => {}
    }
}
