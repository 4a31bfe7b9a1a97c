//! One client's stream. It is pulled: a slow client falls behind and reads the log, and takes no memory meanwhile.

/// Channels that the stream carries.
mod channels;
/// Heartbeat, lifetime of the token, and drain slot.
mod deadlines;
/// Frames that wait to be sent, and cursors.
mod delivery;
/// Options with which a stream is opened.
mod options;
/// Phase of the stream.
mod phase;
/// Lifetime of the stream's token.
mod token_lifetime;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use taskfold_event_log::metrics;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Span;
use uuid::Uuid;

use self::channels::{Channels, Disposition};
use self::deadlines::Deadlines;
use self::delivery::Delivery;
pub use self::options::SubscriberOptions;
use self::phase::Phase;
use self::token_lifetime::TokenLifetime;
use super::cursor::Cursor;
use super::drain_slots::random_retry_ms;
use super::frame::{ControlFrame, Frame};
use super::hub::{CatchUp, Hub};
use super::parked_socket::ParkedSocket;
use super::presence;
use super::registry::{CarriedChannels, ChangeRefusal, ChangeRequest, OpenStream, StreamChange};
use super::stream_end::{EndReason, StreamRecord};
use super::stream_quota::StreamSlot;

/// Pause before the log, or memberships, are read again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Size at which frames are sent, in one chunk.
const CHUNK_SIZE: usize = 16 * 1024;

/// Stream of one client.
pub struct Subscriber {
    hub: Arc<Hub>,
    wake: Arc<Notify>,
    phase: Phase,
    channels: Channels,
    delivery: Delivery,
    deadlines: Deadlines,
    reported: ReportedState,
    registration: Registration,
}

/// State of the hub that the client knows.
struct ReportedState {
    /// Number of restarts when the stream was opened. Frames sent before a later one may be of events that the log
    /// lacks.
    restarts: u64,
    degraded: bool,
}

struct Registration {
    stream: OpenStream,
    record: StreamRecord,
    _slot: StreamSlot,
}

impl Subscriber {
    /// Opens a stream. The hub must have started.
    pub fn new(hub: Arc<Hub>, options: SubscriberOptions, shutdown: CancellationToken) -> Self {
        let restarts = hub.restarts();
        let (user, wake) = (options.user.0, Arc::new(Notify::new()));
        let mut channels = Channels::open(&hub, &wake, user, options.projects, (options.me, options.presence));
        // After subscribing: frames that are published from here on are in the rings.
        let head = hub.position();
        let from = options.from.unwrap_or(Cursor::after(head));
        channels.start_at(from);
        let stream = hub.streams().open(user, options.api_token, &wake);
        let hello = ControlFrame::Hello { from, head, stream: stream.id, log: hub.log() };
        let token = TokenLifetime::new(options.expires_at, options.revoked_token, hub.clock());
        let revoked = options.revoked.into_iter().map(|project| ControlFrame::Revoked { project });
        Self {
            wake,
            phase: Phase::CatchingUp,
            channels,
            delivery: Delivery::new(from, [hello].into_iter().chain(revoked).collect()),
            deadlines: Deadlines::new(token, shutdown),
            reported: ReportedState { restarts, degraded: false },
            registration: Registration { record: StreamRecord::new(stream.id, user), stream, _slot: options.slot },
            hub,
        }
    }

    /// Attaches the client's socket, to which the writer threads write while the stream is parked.
    pub fn attach_socket(&mut self, socket: TcpStream) -> Arc<ParkedSocket> {
        self.channels.attach_socket(socket, &self.wake)
    }

    pub fn span(&self) -> &Span {
        self.registration.record.span()
    }

    /// Records why the connection of the stream ended, unless the stream has ended before.
    pub fn disconnect(&mut self, reason: EndReason) {
        self.resume();
        if !self.has_ended() {
            self.phase = Phase::Ended(reason);
        }
    }

    /// Waits for the next bytes to send; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Bytes> {
        // Still parked if the caller dropped the previous future.
        self.resume();
        loop {
            if !self.delivery.unsent.is_empty() {
                return Some(std::mem::take(&mut self.delivery.unsent));
            }
            if let Some(control) = self.delivery.control.pop_front() {
                return Some(control.encode(self.hub.epoch()));
            }
            if self.has_ended() {
                return None;
            }
            if let Some((reason, last)) = self.due_end() {
                self.phase = Phase::Ended(reason);
                return Some(last.encode(self.hub.epoch()));
            }
            if let Some(request) = self.registration.stream.handle.next_request() {
                self.handle_request(request);
                continue;
            }
            if let Some(left) = self.deadlines.token.due_warning() {
                return Some(ControlFrame::Reauth { seconds: left.as_secs().max(1) }.encode(self.hub.epoch()));
            }
            // Frames ahead of the hub wait for it, and permissions are verified then. Nothing is sent before.
            if self.channels.has_unverified() && self.hub.position() >= self.delivery.taken.position() {
                self.verify_permissions().await;
                continue;
            }
            if !self.delivery.pending.is_empty() {
                match self.chunk() {
                    chunk if chunk.is_empty() => continue,
                    chunk => return Some(chunk),
                }
            }
            self.delivery.served = self.delivery.taken;
            if self.deadlines.is_heartbeat_due() {
                // Events of other projects do not wake this stream: read how far the log is before reporting it.
                self.read_rings();
                if !self.delivery.pending.is_empty() {
                    continue;
                }
                self.deadlines.reset_heartbeat();
                let (served, head) = (self.delivery.served, self.head());
                return Some(ControlFrame::Heartbeat { served, head }.encode(self.hub.epoch()));
            }
            if self.reported.degraded != self.hub.is_degraded() {
                self.reported.degraded = !self.reported.degraded;
                let (unavailable, served, head) = (self.reported.degraded, self.delivery.served, self.head());
                return Some(ControlFrame::Broker { unavailable, served, head }.encode(self.hub.epoch()));
            }
            self.read_next().await;
        }
    }

    fn has_ended(&self) -> bool {
        self.phase.end_reason().is_some()
    }

    /// Reason why the stream must end now, and its last frame.
    fn due_end(&mut self) -> Option<(EndReason, ControlFrame)> {
        if self.hub.restarts() != self.reported.restarts {
            return Some((EndReason::Reset, ControlFrame::Reset { head: self.hub.position() }));
        }
        if self.deadlines.is_drain_due(|| self.hub.drain_delay()) {
            let drain =
                ControlFrame::Drain { served: self.delivery.served, retry_ms: random_retry_ms(self.hub.clock()) };
            return Some((EndReason::Drain, drain));
        }
        let reason = self.deadlines.token.end_reason()?;
        Some((reason, ControlFrame::Reauth { seconds: 0 }))
    }

    /// Changes what the stream carries, or how long it stays open.
    fn handle_request(&mut self, ChangeRequest { change, reply }: ChangeRequest) {
        if self.delivery.pending.is_empty() {
            // Added projects start at the end of the log, and not at the cursor of a quiet stream.
            self.read_rings();
        }
        // The requester may have given up.
        let _ = reply.send(self.change(change));
    }

    fn change(&mut self, change: StreamChange) -> Result<CarriedChannels, ChangeRefusal> {
        self.channels.change(&self.hub, &self.wake, &change, self.delivery.taken)?;
        // The rings of added channels may not reach back to here, which is no lag.
        self.phase = Phase::CatchingUp;
        self.deadlines.token.renew(change.expires_at, change.revoked_token, self.hub.clock());
        Ok(CarriedChannels {
            projects: self.channels.projects().collect(),
            me: self.channels.is_personal(),
            position: self.delivery.taken.position(),
            expires_at: self.deadlines.token.expires_at(),
        })
    }

    /// Reads the memberships for projects whose permission may be outdated. Nothing is sent until they are known.
    async fn verify_permissions(&mut self) {
        let (projects, starts) = self.channels.unverified();
        match Box::pin(self.hub.members().settled(self.channels.user, &projects)).await {
            Ok(known) if starts.iter().all(|start| known.checkpoint >= *start) => {
                self.channels.verify(&projects, &known).into_iter().for_each(|project| self.report_revoked(project));
            }
            Ok(_) => self.pause().await,
            Err(error) => {
                tracing::debug!(%error, "the memberships of a stream's user could not be read, retrying");
                self.pause().await;
            }
        }
    }

    fn report_revoked(&mut self, project: Uuid) {
        self.delivery.control.push_back(ControlFrame::Revoked { project });
        if self.channels.is_empty() {
            self.phase = Phase::Ended(EndReason::AccessRevoked);
        }
    }

    /// Joins pending frames into one chunk, up to the next control frame. Empty if none of them is for this client.
    /// Frames with the same cursor stay together: no change of channels comes between them.
    fn chunk(&mut self) -> Bytes {
        let mut frames = Vec::new();
        let mut size = 0;
        while self.delivery.control.is_empty() && !self.has_ended() && !self.channels.has_unverified() {
            let served = self.delivery.served;
            let next = self.delivery.pending.pop_front_if(|next| size < CHUNK_SIZE || next.at == served);
            let Some(frame) = next else { break };
            if let Some(bytes) = self.process(&frame) {
                size += bytes.len();
                frames.push(bytes);
            }
        }
        if frames.len() == 1 { frames.swap_remove(0) } else { frames.concat().into() }
    }

    /// Returns the bytes of the frame if it is for this client.
    fn process(&mut self, frame: &Frame) -> Option<Bytes> {
        self.delivery.served = frame.at;
        match self.channels.process(frame) {
            Disposition::Send => {
                metrics::sse_frames().increment(1);
                Some(frame.bytes.clone())
            }
            Disposition::Skip => None,
            Disposition::Revoked(project) => {
                self.report_revoked(project);
                None
            }
        }
    }

    fn head(&self) -> i64 {
        self.hub.position().max(self.delivery.served.position())
    }

    /// Takes what the rings have, if they reach back to the stream's cursor.
    fn read_rings(&mut self) {
        if let Some(next) = self.channels.recent(&self.hub, self.delivery.taken) {
            self.delivery.take(next);
        }
    }

    /// Takes the next frames from the rings or the log, or waits until there may be something to do.
    async fn read_next(&mut self) {
        // Counted before the rings are read: an ephemeral frame sent after a revocation must not overtake it.
        let queued = self.channels.ephemeral.as_ref().map_or(0, |queue| queue.len());
        match (self.channels.recent(&self.hub, self.delivery.taken), self.phase) {
            (Some(next), _) => {
                self.phase = Phase::Live;
                let has_frames = !next.frames.is_empty();
                self.delivery.take(next);
                if has_frames || self.take_ephemeral(queued) {
                    return;
                }
                // The writer threads know neither: frames are taken from the rings until then.
                let needs_care = self.channels.has_unverified() || self.channels.has_start_after(self.delivery.taken);
                if needs_care { self.pause().await } else { self.park().await }
            }
            (None, Phase::Live) => {
                self.phase = Phase::CatchingUp;
                let (served, head) = (self.delivery.served, self.head());
                self.delivery.control.push_back(ControlFrame::Lagging { served, head });
            }
            (None, Phase::CatchingUp | Phase::Parked | Phase::Ended(_)) => self.read_log().await,
        }
    }

    async fn read_log(&mut self) {
        let projects: Vec<Uuid> = self.channels.projects().collect();
        let selection = CatchUp {
            projects: &projects,
            user: self.channels.user,
            personal: self.channels.is_personal(),
            revocations_after: self.channels.earliest_permission(),
        };
        // Boxed: a quiet stream does not hold the memory that a query needs.
        match Box::pin(self.hub.catch_up(selection, self.delivery.taken)).await {
            Ok(next) => self.delivery.take(next),
            Err(error) => {
                tracing::debug!(%error, "a stream could not read the log, retrying");
                self.pause().await;
            }
        }
    }

    /// Takes the first `count` ephemeral frames, now that there is nothing else to send. Returns whether there were
    /// any.
    fn take_ephemeral(&mut self, count: usize) -> bool {
        let Some(queue) = &self.channels.ephemeral else { return false };
        let (mut frames, dropped) = queue.take(count);
        frames.extend(dropped.into_iter().map(|project| (project, presence::stale(project))));
        frames.retain(|(project, _)| self.channels.carries(*project));
        self.delivery.unsent = frames.iter().flat_map(|(_, frame)| frame).copied().collect();
        !self.delivery.unsent.is_empty()
    }

    /// Parks the stream until it is woken, or a deadline passes. Returns at once if there is something to do.
    async fn park(&mut self) {
        if self.try_park() {
            self.deadlines.wait(&self.wake, None).await;
            self.resume();
        }
    }

    /// Waits before a retry, without parking.
    async fn pause(&mut self) {
        self.deadlines.wait(&self.wake, Some(RETRY_AFTER)).await;
    }

    /// Parks the stream, and leaves its socket to the writer threads. Returns `false`, and stays live, if frames have
    /// arrived meanwhile.
    fn try_park(&mut self) -> bool {
        self.phase = Phase::Parked;
        let mut has_frames = false;
        if let Some(socket) = &self.channels.socket {
            socket.park(self.delivery.served);
            // After parking: frames published from here on are written, earlier ones are in the rings.
            let next = self.channels.recent(&self.hub, self.delivery.served);
            has_frames = next.is_none_or(|next| !next.frames.is_empty());
        }
        let is_idle = !has_frames && self.channels.ephemeral.as_ref().is_none_or(|queue| queue.try_set_idle());
        if !is_idle {
            self.resume();
        }
        is_idle
    }

    /// Makes a parked stream live again, from the cursor that the writer threads have reached.
    fn resume(&mut self) {
        if self.phase != Phase::Parked {
            return;
        }
        self.phase = Phase::Live;
        if let Some(queue) = &self.channels.ephemeral {
            queue.set_busy();
        }
        if let Some(resumed) = self.channels.socket.as_ref().and_then(|socket| socket.resume()) {
            self.delivery.resume(resumed);
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.resume();
        let reason = self.phase.end_reason().unwrap_or(EndReason::ClientClosed);
        self.registration.record.end(reason, self.delivery.served.position());
    }
}

#[cfg(test)]
mod tests;
