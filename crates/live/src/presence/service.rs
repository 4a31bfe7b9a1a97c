//! Presence of this instance: its copy of the bucket, heartbeats and departures.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_nats::Error as BoxError;
use async_nats::connection::State;
use async_nats::jetstream::kv::Store;
use taskfold_domain::limits::DEVICES_PER_USER;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::bucket::{self, DeviceValue};
use super::nats_clock::NatsClock;
use super::state::{DeviceKey, PresenceState, UserView};

/// Limit for NATS to accept a write.
const WRITE_LIMIT: Duration = Duration::from_secs(2);
/// Limit for a write to come back through the watch, so that the caller reads its own write.
const ECHO_LIMIT: Duration = Duration::from_secs(1);

/// Presence, as this instance knows it.
pub struct Presence {
    pub(super) ttl: Duration,
    pub(super) client: Option<async_nats::Client>,
    pub(super) stream: String,
    /// Set while the bucket can be written to.
    store: RwLock<Option<Store>>,
    local: Mutex<LocalCopy>,
    /// Revision up to which the watch has received the bucket.
    pub(super) received: watch::Sender<u64>,
    /// Notified when `local` has changed.
    pub(super) changed: Notify,
}

/// Copy of the bucket in memory.
pub(super) struct LocalCopy {
    pub(super) state: PresenceState,
    /// `None` before the first message of NATS.
    pub(super) clock: Option<NatsClock>,
}

/// NATS is not connected, or did not reply in time. The change may not have been made.
#[derive(Debug, thiserror::Error)]
#[error("presence is not available: {0}")]
pub struct PresenceUnavailable(BoxError);

impl Presence {
    /// `ttl`: time after its last heartbeat until a device expires. `stream`: name of the stream that the bucket
    /// belongs to.
    pub fn new(client: Option<async_nats::Client>, stream: String, ttl: Duration) -> Arc<Self> {
        let ttl_millis = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        Arc::new(Self {
            ttl,
            client,
            stream,
            store: RwLock::default(),
            local: Mutex::new(LocalCopy { state: PresenceState::new(ttl_millis), clock: None }),
            received: watch::Sender::new(0),
            changed: Notify::new(),
        })
    }

    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Users who are present in the project, by id.
    pub fn present(&self, project: Uuid) -> BTreeMap<Uuid, UserView> {
        self.local().state.present(project)
    }

    /// Returns whether this would be a device more than a user may have.
    pub fn exceeds_limit(&self, key: &DeviceKey) -> bool {
        let state = &self.local().state;
        !state.has(key) && state.devices_of(key.project, key.user) >= DEVICES_PER_USER
    }

    /// Writes a heartbeat of the device, whose user was a member as of `member_at`.
    pub async fn announce(
        &self,
        key: &DeviceKey,
        focus: Option<Uuid>,
        member_at: i64,
    ) -> Result<(), PresenceUnavailable> {
        let value = serde_json::to_vec(&DeviceValue { focus, member_at }).map_err(|e| PresenceUnavailable(e.into()))?;
        let store = self.store()?;
        let revision = limited(store.put(bucket::name_of(key), value.into())).await?;
        self.wait_until(|received, _| received >= revision).await;
        Ok(())
    }

    /// Removes the device, if it is present.
    pub async fn leave(&self, key: &DeviceKey) -> Result<(), PresenceUnavailable> {
        let store = self.store()?;
        limited(store.purge(bucket::name_of(key))).await?;
        self.wait_until(|_, state| !state.has(key)).await;
        Ok(())
    }

    /// Waits for the condition, with a limit: the write has succeeded, and will come back.
    async fn wait_until(&self, condition: impl Fn(u64, &PresenceState) -> bool) {
        let mut received = self.received.subscribe();
        let waiting = received.wait_for(|received| condition(*received, &self.local().state));
        if tokio::time::timeout(ECHO_LIMIT, waiting).await.is_err() {
            tracing::debug!("a presence write has not come back through the watch yet");
        }
    }

    fn store(&self) -> Result<Store, PresenceUnavailable> {
        // A disconnected client would buffer the write, and send it when it is outdated.
        let is_connected = self.client.as_ref().is_some_and(|client| client.connection_state() == State::Connected);
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner).clone();
        store.filter(|_| is_connected).ok_or_else(|| PresenceUnavailable("not connected".into()))
    }

    /// Sets the bucket to write to; `None` refuses writes. Returns whether one was set before.
    pub(super) fn set_store(&self, store: Option<Store>) -> bool {
        let mut current = self.store.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, store).is_some()
    }

    pub(super) fn local(&self) -> MutexGuard<'_, LocalCopy> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn limited<T, E: Into<BoxError>>(writing: impl Future<Output = Result<T, E>>) -> Result<T, PresenceUnavailable> {
    match tokio::time::timeout(WRITE_LIMIT, writing).await {
        Ok(written) => written.map_err(|error| PresenceUnavailable(error.into())),
        Err(_) => Err(PresenceUnavailable("no reply in time".into())),
    }
}
