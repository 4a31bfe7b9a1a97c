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

use super::connection::{Connection, Look};
use super::frames::{Frame, Kind};
use super::latencies::Latencies;
use super::seen::Seen;
use super::sockets;
use super::swarm::Plan;
use crate::moment;

const WAKE: Token = Token(usize::MAX);
/// Reconnection delay of a listener that received no `retry:`: about that of browsers.
const RETRY: Duration = Duration::from_secs(3);
/// Upper bound of the random delay of listeners that reconnect immediately.
const JITTER: Duration = Duration::from_secs(1);
const SCRATCH_BYTES: usize = 64 * 1024;

/// Reconnection policy of a listener whose connection ends: it reconnects to the next address with `Last-Event-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Returns {
    /// No reconnection: the end is a failure.
    Never,
    /// After the delay that the server sent, or 3 s.
    AsTold,
    /// Within one second.
    AtOnce,
}

pub enum Ask {
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
    pub seen: Vec<(usize, Seen)>,
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
            seen: Vec::new(),
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
        self.seen.extend(other.seen);
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
struct Place {
    /// Index among all listeners.
    number: usize,
    /// Number of connection attempts so far: each one goes to the next address.
    turn: usize,
    connection: Option<Connection>,
    greeted: bool,
    seen: Seen,
    retry: Option<Duration>,
    gone_since: Option<Instant>,
}

/// The listeners of one thread.
pub struct Crowd {
    plan: Arc<Plan>,
    progress: Arc<Progress>,
    asked: Receiver<Ask>,
    poll: Poll,
    places: Vec<Place>,
    /// Listeners that connect as soon as fewer connections are being opened.
    waiting: VecDeque<usize>,
    under_way: usize,
    returning: BinaryHeap<Reverse<(Instant, usize)>>,
    report: Report,
    scratch: Vec<u8>,
}

impl Crowd {
    pub fn new(
        plan: Arc<Plan>,
        thread: usize,
        progress: Arc<Progress>,
        asked: Receiver<Ask>,
    ) -> anyhow::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mine = (thread..plan.listeners.len()).step_by(plan.threads.max(1));
        let places: Vec<Place> = mine.map(Place::new).collect();
        let crowd = Self {
            waiting: (0..places.len()).collect(),
            places,
            progress,
            asked,
            poll,
            under_way: 0,
            returning: BinaryHeap::new(),
            report: Report::new()?,
            scratch: vec![0; SCRATCH_BYTES],
            plan,
        };
        Ok((crowd, waker))
    }

    pub fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        loop {
            self.connect_some();
            let next = self.returning.peek().map(|Reverse((at, _))| at.saturating_duration_since(Instant::now()));
            match self.poll.poll(&mut events, next) {
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    return self.progress.fail(format!("polling: {error}"));
                }
                _ => {}
            }
            for event in &events {
                match event.token() {
                    WAKE => {}
                    Token(place) => self.drive(place, event.is_read_closed()),
                }
            }
            while let Some(place) = self.due() {
                self.waiting.push_back(place);
            }
            while let Ok(ask) = self.asked.try_recv() {
                match ask {
                    Ask::End => return,
                    Ask::Report(answer) => drop(answer.send(self.tell())),
                    Ask::Reached(positions, answer) => drop(answer.send(self.reached(&positions))),
                }
            }
        }
    }

    fn due(&mut self) -> Option<usize> {
        let Reverse((at, _)) = self.returning.peek()?;
        if *at > Instant::now() {
            return None;
        }
        self.returning.pop().map(|Reverse((_, place))| place)
    }

    fn tell(&self) -> Report {
        let seen = self.places.iter().map(|place| (self.plan.listeners[place.number].channel, place.seen));
        Report { seen: seen.collect(), ..self.report.clone() }
    }

    fn reached(&self, positions: &[u64]) -> usize {
        let channel = |place: &Place| self.plan.listeners[place.number].channel;
        self.places.iter().filter(|place| place.greeted && place.seen.cursor >= positions[channel(place)]).count()
    }

    fn connect_some(&mut self) {
        let at_once = (self.plan.at_once / self.plan.threads.max(1)).max(1);
        while self.under_way < at_once {
            let Some(place) = self.waiting.pop_front() else { return };
            self.under_way += 1;
            if let Err(error) = self.connect(place) {
                self.lost(place, &format!("connecting: {error}"));
            }
        }
    }

    fn connect(&mut self, index: usize) -> std::io::Result<()> {
        let place = &mut self.places[index];
        let addresses = &self.plan.addresses;
        let address = addresses[(place.number + place.turn) % addresses.len()];
        place.turn += 1;
        let mut socket = TcpStream::from_std(sockets::connect(address, self.plan.listeners[place.number].from)?);
        self.poll.registry().register(&mut socket, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        place.connection = Some(Connection::new(socket, place.request(&self.plan)));
        Ok(())
    }

    fn drive(&mut self, index: usize, closed: bool) {
        let place = &mut self.places[index];
        let Some(connection) = &mut place.connection else { return };
        let report = &mut self.report;
        let now = Cell::new(0);
        let was_greeted = place.greeted;
        let mut changes = 0;
        let look = connection.drive(
            closed,
            &mut self.scratch,
            || now.set(moment::now()),
            |frame| {
                changes += u64::from(frame.kind == Kind::Change);
                take(frame, now.get(), &mut place.seen, report);
                place.greeted |= frame.kind == Kind::Hello;
                place.retry = frame.retry.map(|ms| Duration::from_millis(ms.into())).or(place.retry);
            },
        );
        if changes > 0 {
            self.progress.changes.fetch_add(changes, Ordering::Relaxed);
        }
        if place.greeted && !was_greeted {
            self.under_way -= 1;
            self.progress.connected.fetch_add(1, Ordering::Relaxed);
            if let Some(since) = place.gone_since.take() {
                self.report.outages.record(since.elapsed());
            }
        }
        match look {
            Ok(Look::Open) => {}
            Ok(Look::Ended) => self.lost(index, "the server ended the stream"),
            Err(error) => self.lost(index, &format!("{error:#}")),
        }
    }

    /// Handles a connection that ended or could not be opened.
    fn lost(&mut self, index: usize, why: &str) {
        let place = &mut self.places[index];
        place.connection = None;
        if std::mem::take(&mut place.greeted) {
            self.progress.connected.fetch_sub(1, Ordering::Relaxed);
            place.gone_since = Some(Instant::now());
        } else {
            self.under_way -= 1;
        }
        let wait = match self.plan.returns {
            Returns::Never => return self.progress.fail(format!("listener {}: {why}", place.number)),
            Returns::AsTold => place.retry.unwrap_or(RETRY),
            Returns::AtOnce => JITTER.mul_f64((place.number * 7919 % 1000) as f64 / 1000.0),
        };
        self.returning.push(Reverse((Instant::now() + wait, index)));
    }
}

impl Place {
    fn new(number: usize) -> Self {
        Self { number, turn: 0, connection: None, greeted: false, seen: Seen::default(), retry: None, gone_since: None }
    }

    fn request(&self, plan: &Plan) -> Vec<u8> {
        let listener = plan.listeners[self.number];
        let (path, token) = (&plan.channels[listener.channel].path, &plan.tokens[listener.token]);
        let last = match self.seen.from {
            Some(_) => format!("Last-Event-ID: {}\r\n", self.seen.cursor),
            None => String::new(),
        };
        format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\n{last}\r\n")
            .into_bytes()
    }
}

fn take(frame: Frame, now: u64, seen: &mut Seen, report: &mut Report) {
    match (frame.kind, frame.id) {
        (Kind::Hello, Some(id)) => seen.hello(id),
        (Kind::Change, Some(id)) => seen.change(id),
        (_, Some(id)) => seen.served(id),
        (_, None) => {}
    }
    match frame.kind {
        Kind::Change => {
            if let Some(sent) = frame.sent {
                report.latencies.record(moment::between(sent, now));
                report.reach(sent, now, now);
            }
        }
        Kind::Heartbeat => report.heartbeats += 1,
        Kind::Drain => report.drains += 1,
        Kind::Notice => report.notices += 1,
        Kind::Hello | Kind::Farewell | Kind::Presence => {}
    }
}
