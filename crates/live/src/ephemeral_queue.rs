//! Ephemeral queue of a stream: frames without an id that are not in the log, such as presence.
//!
//! Ephemeral frames are only delivered to idle streams, whose client has received everything else. A slow client loses
//! them first, and gets a `presence.stale` for each project once its stream is idle again.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use taskfold_event_log::metrics;
use tokio::sync::Notify;
use uuid::Uuid;

use super::parked_socket::ParkedSocket;

/// Frames that may be queued for an idle stream before it takes the first.
const CAPACITY: usize = 8;

/// Queue of one stream.
pub struct EphemeralQueue {
    wake: Arc<Notify>,
    /// Socket to write to directly. A stream without one is woken.
    socket: OnceLock<Arc<ParkedSocket>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: bool,
    queued: Vec<(Uuid, Bytes)>,
    /// Projects of which frames were dropped.
    dropped: Vec<Uuid>,
}

impl EphemeralQueue {
    pub fn new(wake: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { wake, socket: OnceLock::new(), state: Mutex::default() })
    }

    /// Writes frames to this socket from now on, while the stream is parked.
    pub fn attach_socket(&self, socket: Arc<ParkedSocket>) {
        // Set once: a stream has one socket.
        let _ = self.socket.set(socket);
    }

    /// Returns whether writer thread `thread` of `count` serves this queue.
    pub fn is_served_by(&self, thread: usize, count: usize) -> bool {
        self.socket.get().map_or(0, |socket| socket.writer) % count == thread
    }

    /// Delivers or queues a frame, or drops it if the stream is busy.
    pub fn push(&self, project: Uuid, frame: &Bytes) {
        if let Some(socket) = self.socket.get() {
            if !socket.write_ephemeral(frame) {
                self.drop_frame(&mut self.state(), project);
            }
            return;
        }
        let mut state = self.state();
        if !state.idle || state.queued.len() >= CAPACITY {
            return self.drop_frame(&mut state, project);
        }
        state.queued.push((project, frame.clone()));
        self.wake.notify_one();
    }

    /// Marks the stream as idle. Returns `false`, and leaves it busy, if the queue has something to take.
    pub fn try_set_idle(&self) -> bool {
        let mut state = self.state();
        state.idle = state.queued.is_empty() && state.dropped.is_empty();
        state.idle
    }

    pub fn set_busy(&self) {
        self.state().idle = false;
    }

    /// Number of queued frames.
    pub fn len(&self) -> usize {
        self.state().queued.len()
    }

    /// Takes the first `count` frames with their projects, and the projects of which frames were dropped.
    pub fn take(&self, count: usize) -> (Vec<(Uuid, Bytes)>, Vec<Uuid>) {
        let mut state = self.state();
        (state.queued.drain(..count).collect(), std::mem::take(&mut state.dropped))
    }

    fn drop_frame(&self, state: &mut State, project: Uuid) {
        metrics::presence_frames_dropped().increment(1);
        if !state.dropped.contains(&project) {
            state.dropped.push(project);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: Uuid = Uuid::from_u128(1);

    #[test]
    fn only_an_idle_stream_gets_frames_and_others_learn_that_some_were_dropped() {
        let queue = EphemeralQueue::new(Arc::default());
        let push = |text: &'static str| queue.push(PROJECT, &Bytes::from_static(text.as_bytes()));
        push("before");
        push("it is idle");
        assert_eq!((queue.try_set_idle(), queue.len()), (false, 0));
        assert_eq!(queue.take(0), (vec![], vec![PROJECT]));
        assert!(queue.try_set_idle());
        push("now");
        assert_eq!(queue.take(queue.len()), (vec![(PROJECT, Bytes::from_static(b"now"))], vec![]));
        queue.set_busy();
        push("too late");
        assert!(!queue.try_set_idle());
    }

    #[test]
    fn the_queue_of_a_stream_that_takes_nothing_is_bounded() {
        let queue = EphemeralQueue::new(Arc::default());
        queue.try_set_idle();
        (0..100).for_each(|_| queue.push(PROJECT, &Bytes::from_static(b"x")));
        assert_eq!(queue.len(), CAPACITY);
        assert_eq!(queue.take(CAPACITY).1, [PROJECT]);
    }
}
