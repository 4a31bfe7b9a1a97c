//! Key-value bucket in NATS, in memory, with one expiring key per present device.

use std::time::Duration;

use async_nats::Error as BoxError;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::kv::{Config, Store};
use async_nats::jetstream::stream::{self, StorageType};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::state::DeviceKey;

/// Time that the bucket keeps a key longer than its device is present, so that an instance that starts receives every
/// present device.
const EXTRA_RETENTION: Duration = Duration::from_secs(5);
/// Several times the size of a value.
const MAX_VALUE_BYTES: i32 = 512;

/// Value of a device's key.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceValue {
    pub focus: Option<Uuid>,
    pub member_at: i64,
}

/// Opens or creates the bucket of this stream. An existing one keeps the settings of its operator, with at least as
/// many replicas as the stream.
pub async fn ensure(client: async_nats::Client, stream: &str, ttl: Duration) -> Result<Store, BoxError> {
    let jetstream = async_nats::jetstream::new(client);
    let replicas = jetstream.get_stream(stream).await?.cached_info().config.num_replicas;
    let (bucket, max_age) = (format!("{stream}_PRESENCE"), ttl + EXTRA_RETENTION);
    match jetstream.get_stream(format!("KV_{bucket}")).await {
        Ok(existing) => {
            let current = &existing.cached_info().config;
            let num_replicas = current.num_replicas.max(replicas);
            if (current.max_age, current.num_replicas) != (max_age, num_replicas) {
                let duplicate_window = current.duplicate_window.min(max_age);
                let updated = stream::Config { max_age, num_replicas, duplicate_window, ..current.clone() };
                jetstream.update_stream(updated).await?;
            }
            Ok(jetstream.get_key_value(bucket).await?)
        }
        Err(error) if is_missing(&error) => {
            let config = Config {
                bucket,
                description: "Taskfold presence".to_owned(),
                history: 1,
                max_value_size: MAX_VALUE_BYTES,
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

pub fn name_of(key: &DeviceKey) -> String {
    format!("{}.{}.{}", key.project, key.user, key.device)
}

/// Parses the name of a key; `None` if it is not that of a device.
pub fn key_of(name: &str) -> Option<DeviceKey> {
    let mut parts = name.splitn(3, '.');
    let mut id = || parts.next()?.parse().ok();
    let (project, user) = (id()?, id()?);
    Some(DeviceKey { project, user, device: parts.next()?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_key_is_parsed_back() {
        let key = DeviceKey { project: Uuid::from_u128(1), user: Uuid::from_u128(2), device: "tab_7-x".into() };
        assert_eq!(key_of(&name_of(&key)), Some(key));
        for other in ["", "probe", "probe.1.2", "01900000-0000-7000-8000-000000000001.x.y"] {
            assert_eq!(key_of(other), None, "{other}");
        }
    }
}
