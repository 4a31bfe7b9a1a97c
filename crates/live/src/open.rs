//! The streams that are open on this instance, and what is asked of them while they are.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use taskfold_event_log::clock;
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use super::follower::Door;

/// The id of a stream begins with that of its instance, so that a request which reaches another one finds it.
const INSTANCE_BYTES: usize = 6;

/// All streams of this instance.
pub struct Streams {
    instance: [u8; INSTANCE_BYTES],
    open: Arc<Mutex<HashMap<Uuid, Arc<Line>>>>,
}

/// The way to one stream.
pub struct Line {
    user: Uuid,
    wake: Arc<Notify>,
    asked: Mutex<VecDeque<Ask>>,
}

/// What a stream is to become, and who waits for it.
pub struct Ask {
    pub wish: Wish,
    pub answer: oneshot::Sender<Result<Channels, Unchanged>>,
}

pub struct Wish {
    /// Projects to follow, which the stream's person may see.
    pub doors: Vec<Door>,
    /// No others from now on.
    pub only_these: bool,
    pub remove: Vec<Uuid>,
    pub me: Option<bool>,
    /// When the token ends with which this is asked, in seconds since 1970.
    pub expires_at: i64,
    /// As in [`super::Opening`].
    pub revoked_token: Option<BoxFuture<'static, ()>>,
}

/// What a stream carries now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channels {
    pub projects: Vec<Uuid>,
    pub me: bool,
    /// Events of what is new here come from behind this position on.
    pub position: i64,
    /// In seconds since 1970.
    pub expires_at: i64,
}

/// Why a stream stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unchanged {
    TooMany,
    NothingLeft,
}

impl Streams {
    pub fn of_new_instance() -> Self {
        let mut instance = [0; INSTANCE_BYTES];
        instance.copy_from_slice(&clock::random_id().as_bytes()[..INSTANCE_BYTES]);
        Self { instance, open: Arc::default() }
    }

    /// The name of this instance, for others to reach it.
    pub fn instance(&self) -> String {
        hex(&self.instance)
    }

    /// The name of the instance on which the stream was opened.
    pub fn instance_of(stream: Uuid) -> String {
        hex(&stream.as_bytes()[..INSTANCE_BYTES])
    }

    /// A new stream, until what is returned is dropped.
    pub fn open(&self, user: Uuid, wake: &Arc<Notify>) -> OpenStream {
        let mut bytes = clock::random_id().into_bytes();
        bytes[..INSTANCE_BYTES].copy_from_slice(&self.instance);
        let id = Uuid::from_bytes(bytes);
        let line = Arc::new(Line { user, wake: Arc::clone(wake), asked: Mutex::default() });
        lock(&self.open).insert(id, Arc::clone(&line));
        OpenStream { id, line, open: Arc::clone(&self.open) }
    }

    pub fn count(&self) -> usize {
        lock(&self.open).len()
    }

    /// The way to a stream of this person's.
    pub fn line(&self, stream: Uuid, user: Uuid) -> Option<Arc<Line>> {
        lock(&self.open).get(&stream).filter(|line| line.user == user).cloned()
    }
}

impl Line {
    pub fn ask(&self, ask: Ask) {
        lock(&self.asked).push_back(ask);
        self.wake.notify_one();
    }

    pub fn next_ask(&self) -> Option<Ask> {
        lock(&self.asked).pop_front()
    }
}

pub struct OpenStream {
    pub id: Uuid,
    pub line: Arc<Line>,
    open: Arc<Mutex<HashMap<Uuid, Arc<Line>>>>,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        lock(&self.open).remove(&self.id);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_found_by_its_person_as_long_as_it_is_open() {
        let (streams, other) = (Streams::of_new_instance(), Streams::of_new_instance());
        let (ada, bea, wake) = (Uuid::from_u128(1), Uuid::from_u128(2), Arc::new(Notify::new()));
        let (one, two) = (streams.open(ada, &wake), streams.open(ada, &wake));
        assert_ne!(one.id, two.id);
        assert_eq!(Streams::instance_of(one.id), streams.instance());
        assert_ne!(streams.instance(), other.instance());
        assert!(streams.line(one.id, ada).is_some());
        assert!(streams.line(one.id, bea).is_none(), "of somebody else");
        assert!(other.line(one.id, ada).is_none());
        let id = one.id;
        drop(one);
        assert!(streams.line(id, ada).is_none());
        assert!(streams.line(two.id, ada).is_some());
    }
}
