use async_nats::jetstream::Context;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};

use crate::ProjectorError;

/// The subjects of `stream` begin with this: its name in lower case.
pub fn prefix(stream: &str) -> String {
    stream.to_lowercase()
}

/// Everything is kept, nothing can be deleted, so sequence = position for good.
pub fn config(name: &str) -> Config {
    Config {
        name: name.to_owned(),
        subjects: vec![format!("{}.events.>", prefix(name))],
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        allow_direct: true,
        deny_delete: true,
        description: Some("Taskfold: every Change, at the sequence that is its position".to_owned()),
        ..Config::default()
    }
}

/// The stream, made when it is not there.
pub async fn ensure(nats: &async_nats::Client, name: &str) -> Result<Stream, ProjectorError> {
    context(nats).get_or_create_stream(config(name)).await.map_err(|e| ProjectorError::Stream(e.to_string()))
}

pub fn context(nats: &async_nats::Client) -> Context {
    async_nats::jetstream::new(nats.clone())
}

/// The sequence of the stream's last message, which is the publisher's checkpoint.
pub async fn last_sequence(stream: &Stream) -> Result<i64, ProjectorError> {
    let info = stream.get_info().await.map_err(|e| ProjectorError::Stream(e.to_string()))?;
    i64::try_from(info.state.last_sequence).map_err(|_| ProjectorError::Stream("its sequence is too large".to_owned()))
}
