//! Who is here: devices say so every few seconds, into a bucket of NATS that all instances watch. It is no part of the log.

/// The bucket in NATS.
mod bucket;
/// Who is where, and what others see of it.
mod people;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::kv::Store;
use futures::StreamExt as _;
use serde::Serialize;
use taskfold_openapi::clock;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::bucket::is_device_id;
use self::bucket::{Told, Word};
use self::people::{People, Seen};
pub use self::people::{Person, Place};
use super::frame::encode;
use super::hub::Hub;

/// Devices of one person in one project.
const MOST_DEVICES: usize = 20;
/// For NATS to take a word.
const LIMIT: Duration = Duration::from_secs(2);
/// For a word to come back to the instance that took it, so that whoever said it sees it.
const ECHO: Duration = Duration::from_millis(500);
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How often it is looked whether the bucket is still there: NATS keeps it in memory.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Who is present, as this instance has heard it.
pub struct Presence {
    hub: Arc<Hub>,
    /// Without NATS, nobody is.
    nats: Option<(Client, String)>,
    /// How long a word counts.
    lives: Duration,
    people: Mutex<People>,
    /// Grows with every word that is heard.
    words: watch::Sender<u64>,
    store: Mutex<Option<Store>>,
    /// The bucket may have gone.
    doubt: Notify,
}

/// Why a word was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    TooManyDevices { most: usize },
    Unavailable,
}

impl Presence {
    pub fn new(hub: Arc<Hub>, nats: Option<Client>, stream: &str, lives: Duration) -> Arc<Self> {
        let nats = nats.map(|client| (client, format!("{stream}_presence")));
        let (words, store, doubt) = (watch::Sender::new(0), Mutex::default(), Notify::new());
        Arc::new(Self { hub, nats, lives, people: Mutex::default(), words, store, doubt })
    }

    /// For how long somebody is here after a word.
    pub fn lives(&self) -> Duration {
        self.lives
    }

    /// A device is here, and looks at this task.
    pub async fn say(&self, place: Place, focus: Option<Uuid>) -> Result<(), NotTaken> {
        let known = self.people().person(place.project, place.user);
        if known.is_some_and(|person| person.devices >= MOST_DEVICES) && !self.people().is_there(&place) {
            return Err(NotTaken::TooManyDevices { most: MOST_DEVICES });
        }
        let word = serde_json::to_vec(&Word { focus }).map_err(|_| NotTaken::Unavailable)?;
        let store = self.store().ok_or(NotTaken::Unavailable)?;
        self.sent(store.put(bucket::key(&place), word.into())).await?;
        self.echo(|people| people.focus(&place) == Some(focus)).await;
        Ok(())
    }

    /// A device goes.
    pub async fn leave(&self, place: Place) -> Result<(), NotTaken> {
        let store = self.store().ok_or(NotTaken::Unavailable)?;
        self.sent(store.delete(bucket::key(&place))).await?;
        self.echo(|people| !people.is_there(&place)).await;
        Ok(())
    }

    /// What a device looks at; the outer `None` when it is not here.
    pub fn focus(&self, place: &Place) -> Option<Option<Uuid>> {
        self.people().focus(place)
    }

    /// Who is in a project, in the order of their ids, and how many in all.
    pub fn page(&self, project: Uuid, after: Option<Uuid>, limit: usize) -> (Vec<Person>, usize) {
        self.people().page(project, after, limit)
    }

    /// Somebody may not see the project any more.
    pub fn forget(&self, project: Uuid, user: Uuid) {
        let seen = self.people().forget(project, user);
        self.show(seen);
    }

    /// Hears what all instances are told, until the end.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(futures::future::join(self.hear(), self.expire())).await;
    }

    async fn hear(&self) {
        let Some((client, bucket)) = &self.nats else { return };
        loop {
            match bucket::open(client, bucket, self.lives).await {
                Ok(store) => {
                    if let Err(error) = self.watch(store).await {
                        tracing::debug!(%error, "presence is not heard, trying again");
                    }
                }
                Err(error) => tracing::debug!(%error, "presence has no bucket yet, trying again"),
            }
            *self.store_slot() = None;
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// What was missed while nobody watched is in the bucket still, or has ended by itself.
    async fn watch(&self, store: Store) -> Result<(), async_nats::Error> {
        let mut told = store.watch_with_history(">").await?;
        *self.store_slot() = Some(store.clone());
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                entry = told.next() => match entry {
                    Some(entry) => self.hear_of(bucket::told(&entry?)),
                    None => return Ok(()),
                },
                _ = look.tick() => {
                    store.status().await?;
                }
                () = self.doubt.notified() => {
                    store.status().await?;
                }
            }
        }
    }

    fn hear_of(&self, told: Option<Told>) {
        let Some(Told { place, word, at }) = told else { return };
        let seen = match word {
            Some(word) => {
                // By the server's clock only for what is old, as at the start: else by our own, from now.
                let age = Duration::from_secs(u64::try_from(clock::now().utc().timestamp() - at).unwrap_or(0));
                let left = if age <= Duration::from_secs(2) { self.lives } else { self.lives.saturating_sub(age) };
                if left.is_zero() { None } else { self.people().heard(place, word.focus, Instant::now() + left) }
            }
            None => self.people().gone(&place),
        };
        self.show(seen);
        self.words.send_modify(|words| *words += 1);
    }

    async fn expire(&self) {
        let mut words = self.words.subscribe();
        loop {
            let gone = self.people().expire(Instant::now());
            self.show(gone);
            let next = self.people().next_look();
            tokio::select! {
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
                _ = words.changed() => {}
            }
        }
    }

    fn show(&self, seen: impl IntoIterator<Item = Seen>) {
        #[derive(Serialize)]
        struct Shown<'a> {
            project_id: Uuid,
            #[serde(flatten)]
            person: &'a Person,
        }
        for Seen { project, what, person } in seen {
            let shown = Shown { project_id: project, person: &person };
            let data = serde_json::to_string(&shown).unwrap_or_default();
            self.hub.pass(project, &encode(None, what.event(), None, &data));
        }
        metrics::gauge!("taskfold_presence_devices").set(self.people().devices() as f64);
    }

    async fn sent<T, E: std::fmt::Display>(&self, sending: impl Future<Output = Result<T, E>>) -> Result<T, NotTaken> {
        let error = match tokio::time::timeout(LIMIT, sending).await {
            Ok(Ok(sent)) => return Ok(sent),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(error, "presence was not taken by NATS");
        self.doubt.notify_one();
        Err(NotTaken::Unavailable)
    }

    async fn echo(&self, heard: impl Fn(&People) -> bool) {
        let mut words = self.words.subscribe();
        // Without it, the word counts all the same.
        let _ = tokio::time::timeout(ECHO, words.wait_for(|_| heard(&self.people()))).await;
    }

    fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> Option<Store> {
        self.store_slot().clone()
    }

    fn store_slot(&self) -> MutexGuard<'_, Option<Store>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
