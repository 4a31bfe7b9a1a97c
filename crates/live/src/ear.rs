use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use uuid::Uuid;

use super::outlet::Outlet;

/// Pieces that a stream at rest is given before it has taken the first of them.
const PIECES: usize = 8;

/// Where a stream hears what is worth nothing later: frames that have no place in the log, no cursor and no second chance.
/// They are only for a stream at rest, whose client has taken all that was sent. Whoever is slow goes without them first, and
/// is told that something was left out when they are at rest again.
pub struct Ear {
    wake: Arc<Notify>,
    /// Where to write at once; without it, the stream is woken.
    outlet: OnceLock<Arc<Outlet>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    resting: bool,
    heard: Vec<(Uuid, Bytes)>,
    /// Rooms of which something was left out.
    missed: Vec<Uuid>,
}

impl Ear {
    pub fn new(wake: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { wake, outlet: OnceLock::new(), state: Mutex::default() })
    }

    /// From now on what is heard is written here, while the stream rests.
    pub fn write_to(&self, outlet: Arc<Outlet>) {
        // Set once: a stream has one socket.
        let _ = self.outlet.set(outlet);
    }

    /// Whether this thread of so many looks after it.
    pub fn is_of(&self, thread: usize, count: usize) -> bool {
        self.outlet.get().map_or(0, |outlet| outlet.writer) % count == thread
    }

    /// Says something to the stream, or not, if it has no time.
    pub fn say(&self, room: Uuid, piece: &Bytes) {
        if let Some(outlet) = self.outlet.get() {
            if !outlet.write_passing(piece) {
                self.miss(&mut self.state(), room);
            }
            return;
        }
        let mut state = self.state();
        if !state.resting || state.heard.len() >= PIECES {
            return self.miss(&mut state, room);
        }
        state.heard.push((room, piece.clone()));
        self.wake.notify_one();
    }

    /// The stream has nothing to do. Whether that is so: `false` when there is something to be taken here.
    pub fn rest(&self) -> bool {
        let mut state = self.state();
        state.resting = state.heard.is_empty() && state.missed.is_empty();
        state.resting
    }

    pub fn go_to_work(&self) {
        self.state().resting = false;
    }

    /// How many pieces there are.
    pub fn count(&self) -> usize {
        self.state().heard.len()
    }

    /// The first `count` pieces with their rooms, and the rooms of which something was left out.
    pub fn take(&self, count: usize) -> (Vec<(Uuid, Bytes)>, Vec<Uuid>) {
        let mut state = self.state();
        (state.heard.drain(..count).collect(), std::mem::take(&mut state.missed))
    }

    fn miss(&self, state: &mut State, room: Uuid) {
        metrics::counter!("taskfold_presence_frames_dropped_total").increment(1);
        if !state.missed.contains(&room) {
            state.missed.push(room);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Uuid = Uuid::from_u128(1);

    #[test]
    fn only_a_stream_at_rest_is_told_and_the_others_are_told_that_they_were_not() {
        let ear = Ear::new(Arc::default());
        let say = |text: &'static str| ear.say(ROOM, &Bytes::from_static(text.as_bytes()));
        say("before");
        say("it rests");
        assert_eq!((ear.rest(), ear.count()), (false, 0));
        assert_eq!(ear.take(0), (vec![], vec![ROOM]));
        assert!(ear.rest());
        say("now");
        assert_eq!(ear.take(ear.count()), (vec![(ROOM, Bytes::from_static(b"now"))], vec![]));
        ear.go_to_work();
        say("too late");
        assert!(!ear.rest());
    }

    #[test]
    fn little_is_kept_for_a_stream_that_does_not_come() {
        let ear = Ear::new(Arc::default());
        ear.rest();
        (0..100).for_each(|_| ear.say(ROOM, &Bytes::from_static(b"x")));
        assert_eq!(ear.count(), PIECES);
        assert_eq!(ear.take(PIECES).1, [ROOM]);
    }
}
