use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::cursor::Cursor;
use super::ear::Ear;
use super::frame::Frame;
use super::outlet::Outlet;

/// Of one room. Whoever is further behind reads the log.
const RING_FRAMES: usize = 512;
const RING_BYTES: usize = 512 * 1024;

/// The latest events of one project, or the latest that one person is told, and who waits for more.
pub struct Room {
    ring: Mutex<Ring>,
    seats: Mutex<Seats>,
    /// By the number of the seat. Several threads go over them at once.
    outlets: RwLock<HashMap<u64, Arc<Outlet>>>,
    /// The same of those who want to know who is there.
    ears: RwLock<HashMap<u64, Arc<Ear>>>,
}

/// All frames of the room behind `start` and up to the hub's position.
pub struct Ring {
    start: Cursor,
    bytes: usize,
    frames: VecDeque<Arc<Frame>>,
}

struct Seats {
    next: u64,
    count: usize,
    /// Those who are woken at whatever is new.
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

    /// Forgets all: something up to here could not be had, and is to be read elsewhere.
    pub fn restart(&mut self, start: Cursor) {
        *self = Self::new(start);
    }

    /// Frames behind `after` and up to `upto`, and no more of them once there are `limit`, but all of the last place; `None` when some
    /// may no longer be here.
    pub fn between(&self, after: Cursor, upto: Cursor, limit: usize) -> Option<Vec<Arc<Frame>>> {
        if after < self.start {
            return None;
        }
        let first = self.frames.partition_point(|f| f.at <= after);
        let last = self.frames.get(first + limit.saturating_sub(1)).map_or(upto, |f| f.at.min(upto));
        Some(self.frames.range(first..).take_while(|f| f.at <= last).cloned().collect())
    }
}

impl Room {
    pub fn new(start: Cursor) -> Self {
        let seats = Seats { next: 0, count: 0, waking: HashMap::new(), empty_since: Instant::now() };
        Self {
            ring: Mutex::new(Ring::new(start)),
            seats: Mutex::new(seats),
            outlets: RwLock::default(),
            ears: RwLock::default(),
        }
    }

    pub fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat: `wake` is notified of whatever is new here, until the seat is dropped.
    pub fn join(self: &Arc<Self>, wake: Arc<Notify>) -> Seat {
        let mut seats = self.seats();
        let number = seats.next;
        seats.next += 1;
        seats.count += 1;
        seats.waking.insert(number, wake);
        Seat { room: Arc::clone(self), number }
    }

    pub fn wake(&self) {
        for waiting in self.seats().waking.values() {
            waiting.notify_one();
        }
    }

    /// Wakes everybody, also those to whom others write.
    pub fn call(&self) {
        self.wake();
        self.each_outlet(|outlet| outlet.call());
    }

    pub fn has_outlets(&self) -> bool {
        !self.outlets.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub fn each_outlet(&self, see: impl FnMut(&Arc<Outlet>)) {
        self.outlets.read().unwrap_or_else(PoisonError::into_inner).values().for_each(see);
    }

    pub fn has_ears(&self) -> bool {
        !self.ears.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub fn each_ear(&self, see: impl FnMut(&Arc<Ear>)) {
        self.ears.read().unwrap_or_else(PoisonError::into_inner).values().for_each(see);
    }

    /// Since when nobody sits here; `None` when somebody does.
    pub fn empty_since(&self) -> Option<Instant> {
        let seats = self.seats();
        (seats.count == 0).then_some(seats.empty_since)
    }
}

/// A follower's place in a room.
pub struct Seat {
    room: Arc<Room>,
    number: u64,
}

impl Seat {
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// From now on what is said here is heard there.
    pub fn hear(&self, ear: Arc<Ear>) {
        self.room.ears.write().unwrap_or_else(PoisonError::into_inner).insert(self.number, ear);
    }

    /// From now on what is new here is written to the outlet, while its follower rests, and wakes nobody.
    pub fn write_to(&self, outlet: Arc<Outlet>) {
        self.room.outlets.write().unwrap_or_else(PoisonError::into_inner).insert(self.number, outlet);
        self.room.seats().waking.remove(&self.number);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.ears.write().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        self.room.outlets.write().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        let mut seats = self.room.seats();
        seats.waking.remove(&self.number);
        seats.count -= 1;
        seats.empty_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::super::frame::{Channel, Kind};
    use super::*;

    fn frame(position: i64, size: usize) -> Arc<Frame> {
        let bytes = Bytes::from(vec![b'x'; size]);
        Arc::new(Frame {
            at: Cursor::behind(position),
            channel: Channel::Project(Uuid::nil()),
            kind: Kind::Plain,
            bytes,
        })
    }

    fn positions(ring: &Ring, after: i64, upto: i64) -> Option<Vec<i64>> {
        let frames = ring.between(Cursor::behind(after), Cursor::behind(upto), 1000)?;
        Some(frames.iter().map(|f| f.at.position()).collect())
    }

    #[test]
    fn a_ring_serves_what_it_holds_and_says_when_it_does_not() {
        let mut ring = Ring::new(Cursor::behind(10));
        for position in [12, 15, 20] {
            ring.push(frame(position, 1));
        }
        assert_eq!(positions(&ring, 10, 20), Some(vec![12, 15, 20]));
        assert_eq!(positions(&ring, 12, 19), Some(vec![15]));
        assert_eq!(positions(&ring, 30, 40), Some(vec![]));
        assert_eq!(positions(&ring, 9, 20), None);
    }

    #[test]
    fn frames_of_one_place_are_served_together() {
        let mut ring = Ring::new(Cursor::behind(0));
        for position in [1, 2, 2, 2, 3] {
            ring.push(frame(position, 1));
        }
        let count = |limit| ring.between(Cursor::behind(0), Cursor::behind(3), limit).map(|frames| frames.len());
        assert_eq!([1, 2, 3, 5, 9].map(count), [Some(1), Some(4), Some(4), Some(5), Some(5)]);
    }

    #[test]
    fn a_full_ring_forgets_the_oldest_and_knows_it() {
        let mut ring = Ring::new(Cursor::behind(0));
        for position in 1..=i64::try_from(RING_FRAMES).expect("small") + 2 {
            ring.push(frame(position, 1));
        }
        assert_eq!(ring.frames.len(), RING_FRAMES);
        assert_eq!(positions(&ring, 1, 10_000), None);
        assert_eq!(positions(&ring, 2, 4), Some(vec![3, 4]));
    }

    #[test]
    fn a_ring_is_bounded_in_bytes_too() {
        let mut ring = Ring::new(Cursor::behind(0));
        ring.push(frame(1, 10));
        ring.push(frame(2, RING_BYTES + 1));
        assert_eq!(ring.bytes, 0);
        assert_eq!(positions(&ring, 1, 2), None);
        assert_eq!(positions(&ring, 2, 2), Some(vec![]));
    }

    #[tokio::test]
    async fn whoever_leaves_is_no_longer_woken() {
        let room = Arc::new(Room::new(Cursor::behind(0)));
        let wake = Arc::new(Notify::new());
        let seat = room.join(Arc::clone(&wake));
        assert!(room.empty_since().is_none());
        room.wake();
        wake.notified().await;
        drop(seat);
        assert!(room.empty_since().is_some());
        assert_eq!(Arc::strong_count(&wake), 1);
    }
}
