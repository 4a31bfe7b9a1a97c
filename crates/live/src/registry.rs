//! Registry of the open streams of this instance, through which a request can change one of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use taskfold_event_log::Clock;
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use super::permission::ProjectPermission;

/// Length of the instance id, with which the id of each of its streams begins. A request that reaches another instance
/// is forwarded by it.
const INSTANCE_BYTES: usize = 6;

/// All open streams of this instance.
pub struct StreamRegistry {
    instance: [u8; INSTANCE_BYTES],
    open: Arc<Mutex<HashMap<Uuid, Arc<StreamHandle>>>>,
    clock: Clock,
}

/// Mailbox of one stream.
pub struct StreamHandle {
    user: Uuid,
    /// The API token that opened the stream. No other token or session changes it.
    api_token: Option<Uuid>,
    wake: Arc<Notify>,
    requests: Mutex<VecDeque<ChangeRequest>>,
}

/// Request to change an open stream.
pub struct ChangeRequest {
    pub change: StreamChange,
    pub reply: oneshot::Sender<Result<CarriedChannels, ChangeRefusal>>,
}

/// Change of what a stream carries, and of how long it may stay open.
pub struct StreamChange {
    /// Projects to carry, which the stream's user may see.
    pub add: Vec<ProjectPermission>,
    /// All other projects are removed.
    pub only_these: bool,
    pub remove: Vec<Uuid>,
    /// Carries the channel `me`, or not; `None` leaves it as it is.
    pub me: Option<bool>,
    /// Expiry of the token of the request, in seconds since 1970.
    pub expires_at: i64,
    /// Completes when the authority behind that token ends.
    pub revoked_token: BoxFuture<'static, ()>,
}

/// Channels that a stream carries after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedChannels {
    pub projects: Vec<Uuid>,
    pub me: bool,
    /// Position after which the events of added projects are delivered.
    pub position: i64,
    /// In seconds since 1970.
    pub expires_at: i64,
}

/// Reasons why a stream is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeRefusal {
    TooManyProjects,
    NothingLeft,
}

impl StreamRegistry {
    /// Creates the registry of a new instance, with a random id.
    pub fn new(clock: Clock) -> Self {
        let mut instance = [0; INSTANCE_BYTES];
        instance.copy_from_slice(&clock.random_id().as_bytes()[..INSTANCE_BYTES]);
        Self { instance, open: Arc::default(), clock }
    }

    /// Name by which other instances address this one.
    pub fn instance(&self) -> String {
        hex::encode(self.instance)
    }

    /// Name of the instance that has the stream.
    pub fn instance_of(stream: Uuid) -> String {
        hex::encode(&stream.as_bytes()[..INSTANCE_BYTES])
    }

    /// Registers a new stream, until the returned value is dropped.
    pub fn open(&self, user: Uuid, api_token: Option<Uuid>, wake: &Arc<Notify>) -> OpenStream {
        let mut bytes = self.clock.random_id().into_bytes();
        bytes[..INSTANCE_BYTES].copy_from_slice(&self.instance);
        let id = Uuid::from_bytes(bytes);
        let handle = Arc::new(StreamHandle { user, api_token, wake: Arc::clone(wake), requests: Mutex::default() });
        lock(&self.open).insert(id, Arc::clone(&handle));
        OpenStream { id, handle, open: Arc::clone(&self.open) }
    }

    pub fn count(&self) -> usize {
        lock(&self.open).len()
    }

    /// Finds a stream that the user opened with this API token, or with a session.
    pub fn find(&self, stream: Uuid, user: Uuid, api_token: Option<Uuid>) -> Option<Arc<StreamHandle>> {
        let is_theirs = |handle: &&Arc<StreamHandle>| handle.user == user && handle.api_token == api_token;
        lock(&self.open).get(&stream).filter(is_theirs).cloned()
    }
}

impl StreamHandle {
    pub fn send(&self, request: ChangeRequest) {
        lock(&self.requests).push_back(request);
        self.wake.notify_one();
    }

    pub fn next_request(&self) -> Option<ChangeRequest> {
        lock(&self.requests).pop_front()
    }
}

/// Entry of an open stream, removed on drop.
pub struct OpenStream {
    pub id: Uuid,
    pub handle: Arc<StreamHandle>,
    open: Arc<Mutex<HashMap<Uuid, Arc<StreamHandle>>>>,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        lock(&self.open).remove(&self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use taskfold_event_log::FixedClock;

    use super::*;

    #[test]
    fn a_stream_is_found_by_its_user_while_it_is_open() {
        let clock = FixedClock::new(DateTime::UNIX_EPOCH.into()).clock();
        let (registry, other) = (StreamRegistry::new(clock.clone()), StreamRegistry::new(clock));
        let (ada, bea, wake) = (Uuid::from_u128(1), Uuid::from_u128(2), Arc::new(Notify::new()));
        let (one, two) = (registry.open(ada, None, &wake), registry.open(ada, None, &wake));
        assert_ne!(one.id, two.id);
        assert_eq!(StreamRegistry::instance_of(one.id), registry.instance());
        assert_ne!(registry.instance(), other.instance());
        assert!(registry.find(one.id, ada, None).is_some());
        assert!(registry.find(one.id, bea, None).is_none(), "of another user");
        assert!(registry.find(one.id, ada, Some(bea)).is_none(), "of a session");
        assert!(other.find(one.id, ada, None).is_none());
        let id = one.id;
        drop(one);
        assert!(registry.find(id, ada, None).is_none());
        assert!(registry.find(two.id, ada, None).is_some());
    }
}
