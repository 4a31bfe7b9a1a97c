//! Who is there. Devices say so into a key-value bucket of NATS; every instance follows the whole bucket, lets devices go by
//! the clock, and tells the streams of a project what has changed there. Nothing of it is in the log.

/// The bucket, its keys and values.
mod bucket;
/// The clock of NATS.
mod clock;
/// Following the bucket.
mod follow;
/// What streams are told.
mod frames;
/// Timers, memberships, and telling the streams.
mod keep;
/// Who is there, as a value.
mod roster;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_nats::Error as BoxError;
use async_nats::connection::State;
use async_nats::jetstream::kv::Store;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::bucket::Said;
use self::clock::Clock;
use self::roster::{Roster, View};
use super::hub::Hub;

pub use self::frames::{PresenceFrame, stale};
pub use self::roster::Key;

/// How many devices a user may have in a project at once.
pub const MOST_DEVICES: usize = 20;
/// For NATS to take something.
const SEND_LIMIT: Duration = Duration::from_secs(2);
/// For what was sent to come round: the caller then reads their own word.
const ECHO_LIMIT: Duration = Duration::from_secs(1);

/// Who is there, as this instance knows it.
pub struct Presence {
    ttl: Duration,
    client: Option<async_nats::Client>,
    stream: String,
    /// There while it can be written to.
    store: RwLock<Option<Store>>,
    known: Mutex<Known>,
    /// Up to which revision the bucket has been heard.
    heard: watch::Sender<u64>,
    /// Something is new in `known`.
    news: Notify,
}

struct Known {
    roster: Roster,
    /// `None` before NATS was first heard.
    clock: Option<Clock>,
}

/// NATS cannot be reached, or did not answer: nothing is known to be changed.
#[derive(Debug, thiserror::Error)]
#[error("presence is not available: {0}")]
pub struct Away(BoxError);

impl Presence {
    /// `ttl`: how long a device is there after its last word. `stream`: whose bucket it is.
    pub fn new(client: Option<async_nats::Client>, stream: String, ttl: Duration) -> Arc<Self> {
        let ttl_millis = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        Arc::new(Self {
            ttl,
            client,
            stream,
            store: RwLock::default(),
            known: Mutex::new(Known { roster: Roster::new(ttl_millis), clock: None }),
            heard: watch::Sender::new(0),
            news: Notify::new(),
        })
    }

    /// Follows the bucket and tells the hub's streams, until `shutdown`.
    pub async fn run(self: Arc<Self>, hub: Arc<Hub>, shutdown: CancellationToken) {
        let losses = hub.losses();
        let work = async { tokio::join!(follow::follow(&self, &hub), keep::keep(&self, &hub, losses)) };
        shutdown.run_until_cancelled(work).await;
    }

    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Everybody who is there, by their id.
    pub fn present(&self, project: Uuid) -> BTreeMap<Uuid, View> {
        self.known().roster.present(project)
    }

    /// Whether this would be a device more than a user may have.
    pub fn is_one_too_many(&self, key: &Key) -> bool {
        let roster = &self.known().roster;
        !roster.has(key) && roster.devices_of(key.project, key.user) >= MOST_DEVICES
    }

    /// The device is there, and its user was a member as of `member_at`.
    pub async fn announce(&self, key: &Key, focus: Option<Uuid>, member_at: i64) -> Result<(), Away> {
        let said = serde_json::to_vec(&Said { focus, member_at }).map_err(|e| Away(e.into()))?;
        let store = self.store()?;
        let revision = limited(store.put(bucket::name_of(key), said.into())).await?;
        self.until(|heard, _| heard >= revision).await;
        Ok(())
    }

    /// The device goes, if it is there.
    pub async fn leave(&self, key: &Key) -> Result<(), Away> {
        let store = self.store()?;
        limited(store.purge(bucket::name_of(key))).await?;
        self.until(|_, roster| !roster.has(key)).await;
        Ok(())
    }

    /// Waits until it is so, or for long enough: it was said, and will be heard.
    async fn until(&self, is: impl Fn(u64, &Roster) -> bool) {
        let mut heard = self.heard.subscribe();
        let waiting = heard.wait_for(|heard| is(*heard, &self.known().roster));
        if tokio::time::timeout(ECHO_LIMIT, waiting).await.is_err() {
            tracing::debug!("what was said of presence has not come round yet");
        }
    }

    fn store(&self) -> Result<Store, Away> {
        // A client without a connection would keep what it is given, and say it when it is no longer true.
        let connected = self.client.as_ref().is_some_and(|client| client.connection_state() == State::Connected);
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner).clone();
        store.filter(|_| connected).ok_or_else(|| Away("not connected".into()))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn limited<T, E: Into<BoxError>>(sending: impl Future<Output = Result<T, E>>) -> Result<T, Away> {
    match tokio::time::timeout(SEND_LIMIT, sending).await {
        Ok(sent) => sent.map_err(|error| Away(error.into())),
        Err(_) => Err(Away("no answer in time".into())),
    }
}
