//! The key-value bucket in NATS in which devices say that they are there: a key a device, in memory, gone by itself.

use std::time::Duration;

use async_nats::Error as BoxError;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::kv::{Config, Store};
use async_nats::jetstream::stream::{self, StorageType};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::roster::Key;

/// The bucket keeps a key a little longer than a device is there: an instance that starts hears of every device that is.
const KEPT_LONGER: Duration = Duration::from_secs(5);
/// Several times what a value has.
const VALUE_BYTES: i32 = 512;

/// What a device says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub focus: Option<Uuid>,
    pub member_at: i64,
}

/// The bucket that belongs to the stream of this name. One that is there keeps what an operator has set: it has as many copies as the stream, or
/// more.
pub async fn ensure(client: async_nats::Client, stream: &str, ttl: Duration) -> Result<Store, BoxError> {
    let jetstream = async_nats::jetstream::new(client);
    let replicas = jetstream.get_stream(stream).await?.cached_info().config.num_replicas;
    let (bucket, max_age) = (format!("{stream}_PRESENCE"), ttl + KEPT_LONGER);
    match jetstream.get_stream(format!("KV_{bucket}")).await {
        Ok(found) => {
            let known = &found.cached_info().config;
            let num_replicas = known.num_replicas.max(replicas);
            if (known.max_age, known.num_replicas) != (max_age, num_replicas) {
                let duplicate_window = known.duplicate_window.min(max_age);
                let wanted = stream::Config { max_age, num_replicas, duplicate_window, ..known.clone() };
                jetstream.update_stream(wanted).await?;
            }
            Ok(jetstream.get_key_value(bucket).await?)
        }
        Err(error) if is_missing(&error) => {
            let config = Config {
                bucket,
                description: "Taskfold: who is there".to_owned(),
                history: 1,
                max_value_size: VALUE_BYTES,
                max_age,
                storage: StorageType::Memory,
                num_replicas: replicas,
                ..Config::default()
            };
            Ok(jetstream.create_key_value(config).await?)
        }
        Err(error) => Err(error.into()),
    }
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

pub fn name_of(key: &Key) -> String {
    format!("{}.{}.{}", key.project, key.user, key.device)
}

/// `None` for a key that is no device's.
pub fn key_of(name: &str) -> Option<Key> {
    let mut parts = name.splitn(3, '.');
    let mut id = || parts.next()?.parse().ok();
    let (project, user) = (id()?, id()?);
    Some(Key { project, user, device: parts.next()?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let key = Key { project: Uuid::from_u128(1), user: Uuid::from_u128(2), device: "tab_7-x".into() };
        assert_eq!(key_of(&name_of(&key)), Some(key));
        for other in ["", "probe", "probe.1.2", "01900000-0000-7000-8000-000000000001.x.y"] {
            assert_eq!(key_of(other), None, "{other}");
        }
    }
}
