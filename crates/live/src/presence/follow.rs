use std::convert::Infallible;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::Error as BoxError;
use async_nats::connection::State;
use async_nats::jetstream::kv::{Entry, Operation, Store};
use taskfold_event_log::clock;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_stream::StreamExt;

use super::bucket::{self, Said};
use super::clock::Clock;
use super::roster::Beat;
use super::{Known, Presence};
use crate::hub::Hub;

const RETRY_AFTER: Duration = Duration::from_millis(500);
/// So many failures in a row are no slow start any more.
const FAILURES: u32 = 20;
/// How often it is looked whether NATS is there.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How long after a probe that does not come back the bucket is taken to be lost.
const SILENCE: Duration = Duration::from_secs(4);

/// A key of this instance's own, written again and again: when it is heard, so is all that was written before it, the bucket
/// is there, and it says how late it is. When it is not, nothing else would be heard either: a bucket in memory may be lost
/// without anybody being told.
struct Probe {
    name: String,
    sent: u64,
}

/// Hears all that is said, making everything anew after each error. Whoever is known meanwhile goes by the clock, as ever.
pub async fn follow(presence: &Presence, hub: &Hub) -> Infallible {
    let Some(client) = presence.client.clone() else { return std::future::pending().await };
    let mut probe = Probe { name: format!("probe.{}", clock::new_id()), sent: 0 };
    while !hub.has_begun(RETRY_AFTER).await {}
    let mut failures = 0;
    loop {
        while client.connection_state() != State::Connected {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let Err(error) = listen(presence, hub, &client, &mut probe).await;
        failures = if presence.open(None) { 0 } else { failures + 1 };
        if failures % FAILURES == 0 {
            tracing::warn!(%error, "presence is not followed, trying again; who is there goes by the clock meanwhile");
        } else {
            tracing::debug!(%error, "presence cannot be followed yet");
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

async fn listen(
    presence: &Presence,
    hub: &Hub,
    client: &async_nats::Client,
    probe: &mut Probe,
) -> Result<Infallible, BoxError> {
    let connects = || client.statistics().connects.load(Ordering::Relaxed);
    let (connected, first) = (connects(), probe.sent + 1);
    let store = bucket::ensure(client.clone(), &presence.stream, presence.ttl).await?;
    let mut entries = store.watch_with_history(">").await?;
    presence.heard.send_replace(0);
    // Those who were there before, until the first probe is heard and with it how old they are.
    let mut listed = Some(Vec::new());
    let mut answered = Instant::now();
    let mut probing = interval(PROBE_EVERY);
    probing.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            entry = entries.next() => {
                let entry = entry.ok_or("the watch ended")??;
                let revision = entry.revision;
                if entry.key == probe.name {
                    if number(&entry) >= first {
                        answered = Instant::now();
                        let listed = listed.take();
                        let begins = listed.is_some();
                        presence.hear_clock(&entry, listed.unwrap_or_default(), hub.position());
                        if begins {
                            presence.open(Some(store.clone()));
                        }
                    }
                } else {
                    match &mut listed {
                        Some(listed) => listed.push(entry),
                        None => presence.known().take(&entry),
                    }
                }
                presence.heard.send_replace(revision);
                presence.news.notify_one();
            }
            _ = probing.tick() => {
                if connects() != connected || client.connection_state() != State::Connected {
                    return Err("the connection was lost, and perhaps the bucket with it".into());
                }
                if answered.elapsed() > SILENCE {
                    return Err("what is written is not heard".into());
                }
                probe.sent += 1;
                let said = client.publish(format!("{}{}", store.prefix, probe.name), probe.sent.to_string().into());
                tokio::time::timeout(SILENCE, said).await??;
            }
        }
    }
}

impl Presence {
    /// From now on it can be written to, or not. Whether it could be before.
    fn open(&self, store: Option<Store>) -> bool {
        let mut open = self.store.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *open, store).is_some()
    }

    /// NATS has said how late it is, and before that who was there when it was first asked.
    fn hear_clock(&self, probe: &Entry, listed: Vec<Entry>, position: i64) {
        let mut known = self.known();
        let clock = Clock::heard_now(millis(probe));
        known.clock = Some(clock);
        if !listed.is_empty() {
            listed.iter().for_each(|entry| known.take(entry));
            // Removals may have been announced while nobody listened here.
            known.roster.doubt(position);
        }
    }
}

impl Known {
    fn take(&mut self, entry: &Entry) {
        let (Some(key), Some(clock)) = (bucket::key_of(&entry.key), self.clock) else { return };
        let at = millis(entry);
        match entry.operation {
            Operation::Put => match serde_json::from_slice(&entry.value) {
                Ok(Said { focus, member_at }) => {
                    self.roster.hear(Beat { key, focus, member_at, at }, clock.now());
                }
                Err(error) => tracing::warn!(%error, "a value of presence that is none of ours"),
            },
            Operation::Delete | Operation::Purge => self.roster.leave(&key, at),
        }
    }
}

/// When NATS took it, in milliseconds since 1970.
fn millis(entry: &Entry) -> i64 {
    i64::try_from(entry.created.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

fn number(entry: &Entry) -> u64 {
    std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}
