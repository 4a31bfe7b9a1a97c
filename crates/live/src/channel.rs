//! Channel: the in-memory ring of the latest frames of one project, team or person, and its subscriptions.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::cursor::Cursor;
use super::ephemeral_queue::EphemeralQueue;
use super::frame::Frame;
use super::parked_socket::ParkedSocket;

/// Capacity of one ring. A subscriber that is further behind reads the log.
const RING_FRAMES: usize = 512;
const RING_BYTES: usize = 512 * 1024;

/// Ring and subscriptions of one channel.
pub struct Channel {
    ring: Mutex<Ring>,
    subscriptions: Mutex<Subscriptions>,
    /// By number of the subscription. Several threads iterate at once.
    parked_sockets: RwLock<HashMap<u64, Arc<ParkedSocket>>>,
    /// By number of the subscription, of streams that carry presence.
    ephemeral_queues: RwLock<HashMap<u64, Arc<EphemeralQueue>>>,
}

/// All frames of the channel after `start` and up to the hub's position.
pub struct Ring {
    start: Cursor,
    bytes: usize,
    frames: VecDeque<Arc<Frame>>,
}

struct Subscriptions {
    next: u64,
    count: usize,
    /// Subscribers that are woken by each new frame.
    waking: HashMap<u64, Arc<Notify>>,
    empty_since: Instant,
}

impl Ring {
    pub fn new(start: Cursor) -> Self {
        Self { start, bytes: 0, frames: VecDeque::new() }
    }

    pub fn push(&mut self, frame: Arc<Frame>) {
        self.bytes += frame.bytes.len();
        self.frames.push_back(frame);
        while self.frames.len() > RING_FRAMES || self.bytes > RING_BYTES {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= oldest.bytes.len();
            self.start = oldest.at;
        }
    }

    /// Drops all frames: subscribers before `start` must read the log.
    pub fn restart(&mut self, start: Cursor) {
        *self = Self::new(start);
    }

    /// Returns the frames after `after` and up to `upto`: at most `limit`, plus the others at the cursor of the last
    /// one. `None` if some of them may have left the ring.
    pub fn between(&self, after: Cursor, upto: Cursor, limit: usize) -> Option<Vec<Arc<Frame>>> {
        if after < self.start {
            return None;
        }
        let first = self.frames.partition_point(|f| f.at <= after);
        let last = self.frames.get(first + limit.saturating_sub(1)).map_or(upto, |f| f.at.min(upto));
        Some(self.frames.range(first..).take_while(|f| f.at <= last).cloned().collect())
    }
}

impl Channel {
    pub fn new(start: Cursor) -> Self {
        let subscriptions = Subscriptions { next: 0, count: 0, waking: HashMap::new(), empty_since: Instant::now() };
        Self {
            ring: Mutex::new(Ring::new(start)),
            subscriptions: Mutex::new(subscriptions),
            parked_sockets: RwLock::default(),
            ephemeral_queues: RwLock::default(),
        }
    }

    pub fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes: each new frame notifies `wake`, until the subscription is dropped.
    pub fn subscribe(self: &Arc<Self>, wake: Arc<Notify>) -> Subscription {
        let mut subscriptions = self.subscriptions();
        let number = subscriptions.next;
        subscriptions.next += 1;
        subscriptions.count += 1;
        subscriptions.waking.insert(number, wake);
        Subscription { channel: Arc::clone(self), number }
    }

    /// Wakes the subscribers that write their frames themselves.
    pub fn wake(&self) {
        for waiting in self.subscriptions().waking.values() {
            waiting.notify_one();
        }
    }

    /// Wakes all subscribers, parked ones included.
    pub fn wake_all(&self) {
        self.wake();
        self.each_parked_socket(|socket| socket.request_resume());
    }

    pub fn has_parked_sockets(&self) -> bool {
        !self.parked_sockets.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub fn each_parked_socket(&self, visit: impl FnMut(&Arc<ParkedSocket>)) {
        self.parked_sockets.read().unwrap_or_else(PoisonError::into_inner).values().for_each(visit);
    }

    pub fn has_ephemeral_queues(&self) -> bool {
        !self.ephemeral_queues.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub fn each_ephemeral_queue(&self, visit: impl FnMut(&Arc<EphemeralQueue>)) {
        self.ephemeral_queues.read().unwrap_or_else(PoisonError::into_inner).values().for_each(visit);
    }

    /// Time since which the channel has had no subscription; `None` if it has one.
    pub fn empty_since(&self) -> Option<Instant> {
        let subscriptions = self.subscriptions();
        (subscriptions.count == 0).then_some(subscriptions.empty_since)
    }
}

/// A subscriber's entry in a channel, removed on drop.
pub struct Subscription {
    channel: Arc<Channel>,
    number: u64,
}

impl Subscription {
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Delivers the ephemeral frames of the channel to this queue from now on.
    pub fn attach_queue(&self, queue: Arc<EphemeralQueue>) {
        self.channel.ephemeral_queues.write().unwrap_or_else(PoisonError::into_inner).insert(self.number, queue);
    }

    /// Writes new frames to this socket while its subscriber is parked, instead of waking the subscriber.
    pub fn attach_socket(&self, socket: Arc<ParkedSocket>) {
        self.channel.parked_sockets.write().unwrap_or_else(PoisonError::into_inner).insert(self.number, socket);
        self.channel.subscriptions().waking.remove(&self.number);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.channel.ephemeral_queues.write().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        self.channel.parked_sockets.write().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        let mut subscriptions = self.channel.subscriptions();
        subscriptions.waking.remove(&self.number);
        subscriptions.count -= 1;
        subscriptions.empty_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::super::frame::{ChannelId, FrameKind};
    use super::*;

    fn frame(position: i64, size: usize) -> Arc<Frame> {
        let bytes = Bytes::from(vec![b'x'; size]);
        Arc::new(Frame {
            at: Cursor::after(position),
            channel: ChannelId::Project(Uuid::nil()),
            kind: FrameKind::Plain,
            bytes,
        })
    }

    fn positions(ring: &Ring, after: i64, upto: i64) -> Option<Vec<i64>> {
        let frames = ring.between(Cursor::after(after), Cursor::after(upto), 1000)?;
        Some(frames.iter().map(|f| f.at.position()).collect())
    }

    #[test]
    fn a_ring_serves_its_frames_and_reports_a_gap() {
        let mut ring = Ring::new(Cursor::after(10));
        for position in [12, 15, 20] {
            ring.push(frame(position, 1));
        }
        assert_eq!(positions(&ring, 10, 20), Some(vec![12, 15, 20]));
        assert_eq!(positions(&ring, 12, 19), Some(vec![15]));
        assert_eq!(positions(&ring, 30, 40), Some(vec![]));
        assert_eq!(positions(&ring, 9, 20), None);
    }

    #[test]
    fn frames_with_one_cursor_are_served_together() {
        let mut ring = Ring::new(Cursor::after(0));
        for position in [1, 2, 2, 2, 3] {
            ring.push(frame(position, 1));
        }
        let count = |limit| ring.between(Cursor::after(0), Cursor::after(3), limit).map(|frames| frames.len());
        assert_eq!([1, 2, 3, 5, 9].map(count), [Some(1), Some(4), Some(4), Some(5), Some(5)]);
    }

    #[test]
    fn a_full_ring_drops_its_oldest_frames() {
        let mut ring = Ring::new(Cursor::after(0));
        for position in 1..=i64::try_from(RING_FRAMES).expect("small") + 2 {
            ring.push(frame(position, 1));
        }
        assert_eq!(ring.frames.len(), RING_FRAMES);
        assert_eq!(positions(&ring, 1, 10_000), None);
        assert_eq!(positions(&ring, 2, 4), Some(vec![3, 4]));
    }

    #[test]
    fn a_ring_is_bounded_in_bytes_too() {
        let mut ring = Ring::new(Cursor::after(0));
        ring.push(frame(1, 10));
        ring.push(frame(2, RING_BYTES + 1));
        assert_eq!(ring.bytes, 0);
        assert_eq!(positions(&ring, 1, 2), None);
        assert_eq!(positions(&ring, 2, 2), Some(vec![]));
    }

    #[tokio::test]
    async fn a_dropped_subscription_is_not_woken() {
        let channel = Arc::new(Channel::new(Cursor::after(0)));
        let wake = Arc::new(Notify::new());
        let subscription = channel.subscribe(Arc::clone(&wake));
        assert!(channel.empty_since().is_none());
        channel.wake();
        wake.notified().await;
        drop(subscription);
        assert!(channel.empty_since().is_some());
        assert_eq!(Arc::strong_count(&wake), 1);
    }
}
