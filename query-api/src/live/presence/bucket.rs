//! The key-value bucket in NATS in which devices say that they are there: a key a device, in memory, gone by itself.

use std::time::Duration;

use async_nats::jetstream::kv::{Config, Store};
use async_nats::jetstream::stream::StorageType;
use serde::{Deserialize, Serialize};
use taskfold_openapi::service::BoxError;
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

/// The bucket that belongs to the stream of this name, made when it is not there, with as many copies as the stream.
pub async fn ensure(client: async_nats::Client, stream: &str, ttl: Duration) -> Result<Store, BoxError> {
    let jetstream = async_nats::jetstream::new(client);
    let num_replicas = jetstream.get_stream(stream).await?.cached_info().config.num_replicas;
    let config = Config {
        bucket: format!("{stream}_PRESENCE"),
        description: "Taskfold: who is there".to_owned(),
        history: 1,
        max_value_size: VALUE_BYTES,
        max_age: ttl + KEPT_LONGER,
        storage: StorageType::Memory,
        num_replicas,
        ..Config::default()
    };
    Ok(jetstream.create_or_update_key_value(config).await?)
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
