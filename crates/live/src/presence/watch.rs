//! Watch of the presence bucket, started again after every error. Meanwhile, known devices expire by the clock.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::Error as BoxError;
use async_nats::connection::State;
use async_nats::jetstream::kv::{Entry, Operation};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_stream::StreamExt;

use super::bucket::{self, DeviceValue};
use super::nats_clock::NatsClock;
use super::service::{LocalCopy, Presence};
use super::state::Heartbeat;
use crate::hub::Hub;

const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Failures in a row after which a warning is logged: more than during a slow start.
const FAILURES_PER_WARNING: u32 = 20;
/// Interval of checks whether NATS is connected.
const CONNECTION_CHECK_INTERVAL: Duration = Duration::from_millis(100);
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// Time without a probe coming back after which the bucket is assumed to be lost.
const PROBE_LIMIT: Duration = Duration::from_secs(4);

/// Key of this instance, written again and again. When it comes back, so has everything that was written before it, and
/// it carries the time of NATS. When it does not, nothing else would either: a bucket in memory can be lost without
/// notice.
struct Probe {
    name: String,
    sent: u64,
}

pub async fn run(presence: &Presence, hub: &Hub) -> Infallible {
    let Some(client) = presence.client.clone() else { return std::future::pending().await };
    let mut probe = Probe { name: format!("probe.{}", hub.clock().new_id()), sent: 0 };
    while !hub.has_started(RETRY_AFTER).await {}
    let mut failures = 0;
    loop {
        while client.connection_state() != State::Connected {
            tokio::time::sleep(CONNECTION_CHECK_INTERVAL).await;
        }
        let Err(error) = watch(presence, hub, &client, &mut probe).await;
        failures = if presence.set_store(None) { 0 } else { failures + 1 };
        if failures % FAILURES_PER_WARNING == 0 {
            tracing::warn!(%error, "the presence bucket is not watched, retrying; known devices expire meanwhile");
        } else {
            tracing::debug!(%error, "the presence bucket cannot be watched yet, retrying");
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

async fn watch(
    presence: &Presence,
    hub: &Hub,
    client: &async_nats::Client,
    probe: &mut Probe,
) -> Result<Infallible, BoxError> {
    let connects = || client.statistics().connects.load(Ordering::Relaxed);
    let (connected, first_probe) = (connects(), probe.sent + 1);
    let store = bucket::ensure(client.clone(), &presence.stream, presence.ttl).await?;
    let mut entries = store.watch_with_history(">").await?;
    presence.received.send_replace(0);
    // Entries from before the watch, until the first probe tells how old they are.
    let mut history = Some(Vec::new());
    let mut probe_received_at = Instant::now();
    let mut probing = interval(PROBE_INTERVAL);
    probing.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            entry = entries.next() => {
                let entry = entry.ok_or("the watch ended")??;
                let revision = entry.revision;
                if entry.key == probe.name {
                    if number(&entry) >= first_probe {
                        probe_received_at = Instant::now();
                        let history = history.take();
                        let is_first = history.is_some();
                        presence.local().set_clock(&entry, history.unwrap_or_default(), hub.position());
                        if is_first {
                            presence.set_store(Some(store.clone()));
                        }
                    }
                } else {
                    match &mut history {
                        Some(history) => history.push(entry),
                        None => presence.local().apply(&entry),
                    }
                }
                presence.received.send_replace(revision);
                presence.changed.notify_one();
            }
            _ = probing.tick() => {
                if connects() != connected || client.connection_state() != State::Connected {
                    return Err("the connection was lost, and perhaps the bucket with it".into());
                }
                if probe_received_at.elapsed() > PROBE_LIMIT {
                    return Err("writes do not come back through the watch".into());
                }
                probe.sent += 1;
                let sending = client.publish(format!("{}{}", store.prefix, probe.name), probe.sent.to_string().into());
                tokio::time::timeout(PROBE_LIMIT, sending).await??;
            }
        }
    }
}

impl LocalCopy {
    /// Sets the clock from a probe, and then applies the entries from before the watch.
    fn set_clock(&mut self, probe: &Entry, history: Vec<Entry>, position: i64) {
        self.clock = Some(NatsClock::received_now(millis(probe)));
        if !history.is_empty() {
            history.iter().for_each(|entry| self.apply(entry));
            // Revocations may have been published before the watch.
            self.state.suspect_permissions_before(position);
        }
    }

    fn apply(&mut self, entry: &Entry) {
        let (Some(key), Some(clock)) = (bucket::key_of(&entry.key), self.clock) else { return };
        let at = millis(entry);
        match entry.operation {
            Operation::Put => match serde_json::from_slice(&entry.value) {
                Ok(DeviceValue { focus, member_at }) => {
                    self.state.apply(Heartbeat { key, focus, member_at, at }, clock.now());
                }
                Err(error) => tracing::warn!(%error, "a presence value has an unknown format, ignoring it"),
            },
            Operation::Delete | Operation::Purge => self.state.leave(&key, at),
        }
    }
}

/// Time at which NATS received the entry, in milliseconds since 1970.
fn millis(entry: &Entry) -> i64 {
    i64::try_from(entry.created.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

fn number(entry: &Entry) -> u64 {
    std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}
