use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::kv::{Config, Entry, Operation, Store};
use async_nats::jetstream::stream::StorageType;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::people::Place;

/// A word of a device, as it stands in the bucket.
#[derive(Serialize, Deserialize)]
pub struct Word {
    pub focus: Option<Uuid>,
}

/// What the bucket tells: a device is there, or has gone.
pub struct Told {
    pub place: Place,
    /// `None`: it has gone.
    pub word: Option<Word>,
    /// When the server heard it.
    pub at: i64,
}

/// The bucket of all presence, made when it is not there. It is kept in memory: what it says is worth nothing in a minute.
pub async fn open(client: &Client, bucket: &str, lives: Duration) -> Result<Store, async_nats::Error> {
    let jetstream = async_nats::jetstream::new(client.clone());
    let config = Config {
        bucket: bucket.to_owned(),
        description: "Who is present in which project of Taskfold".to_owned(),
        history: 1,
        // A little longer than it counts, so that whoever starts meanwhile hears of it.
        max_age: lives + Duration::from_secs(5),
        storage: StorageType::Memory,
        num_replicas: 1,
        ..Config::default()
    };
    match jetstream.get_key_value(bucket).await {
        Ok(store) => Ok(store),
        Err(_) => Ok(jetstream.create_key_value(config).await?),
    }
}

/// Ids of devices are keys in the bucket: `-` and `_`, letters and digits.
pub fn is_device_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

pub fn key(place: &Place) -> String {
    format!("{}.{}.{}", place.project.simple(), place.user.simple(), place.device)
}

/// `None` for what nobody of ours wrote.
pub fn told(entry: &Entry) -> Option<Told> {
    let mut parts = entry.key.split('.');
    let (project, user) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let device = parts.next().filter(|device| is_device_id(device))?.to_owned();
    let word = match entry.operation {
        Operation::Put => Some(serde_json::from_slice(&entry.value).ok()?),
        Operation::Delete | Operation::Purge => None,
    };
    Some(Told { place: Place { project, user, device }, word, at: entry.created.unix_timestamp() })
}
