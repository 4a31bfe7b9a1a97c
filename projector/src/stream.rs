//! The JetStream stream, which has every Change at the sequence that is its position.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{ContextBuilder, GetStreamErrorKind};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{Config, DirectGetErrorKind, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use taskfold_event_log::{LogIdentity, PublicationKey};

use crate::ProjectorError;

/// Key of the stream's metadata for the id of its log.
pub const LOG: &str = "taskfold-log";
/// Key of the stream's metadata for the fingerprint of the key that signs its messages.
const KEY: &str = "taskfold-key";
/// Deadline of a call to JetStream, an acknowledgement included. A stream whose leader is lost has another one within
/// some seconds; whoever waits for the old one is not notified.
const CALL: Duration = Duration::from_secs(2);

/// Prefix of the subjects of `stream`: its name in lower case.
pub fn prefix(stream: &str) -> String {
    stream.to_lowercase()
}

/// Configuration of the stream. Everything is kept, so that sequence = position for good. The stream does not deny
/// deletion, because that could never be changed again: account permissions prevent it.
///
/// With a key, every message of the stream is signed with it from the first one.
pub fn config(name: &str, log: &LogIdentity, key: Option<&PublicationKey>, replicas: usize) -> Config {
    let log = (LOG.to_owned(), log.id.to_string());
    let key = key.map(|key| (KEY.to_owned(), key.fingerprint()));

    Config {
        name: name.to_owned(),
        subjects: vec![format!("{}.events.>", prefix(name))],
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        allow_direct: true,
        num_replicas: replicas,
        description: Some("Taskfold: every Change, at the sequence that is its position".to_owned()),
        metadata: std::iter::once(log).chain(key).collect(),
        ..Config::default()
    }
}

/// Log of a stream, by its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// It is of this log.
    Ours,
    /// It is of another log: one that this was before it was adopted, or one of another system.
    Another,
    /// It has no label: the previous release did not write one.
    Missing,
}

pub fn label(stream: &Stream, log: &LogIdentity) -> Label {
    match stream.cached_info().config.metadata.get(LOG) {
        Some(id) if *id == log.id.to_string() => Label::Ours,
        Some(_) => Label::Another,
        None => Label::Missing,
    }
}

/// Finds the stream.
pub async fn find(context: &Context, name: &str) -> Result<Option<Stream>, ProjectorError> {
    match context.get_stream(name).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            _ => Err(ProjectorError::Stream(error.to_string())),
        },
    }
}

/// Returns whether every message of the stream is signed with this key, if it is the projector's: the previous release
/// made streams without signatures.
pub fn is_signed_throughout(stream: &Stream, key: &PublicationKey) -> bool {
    stream.cached_info().config.metadata.get(KEY).is_some_and(|of_stream| *of_stream == key.fingerprint())
}

/// Finds the stream, or creates it.
pub async fn ensure(
    context: &Context,
    name: &str,
    log: &LogIdentity,
    key: &PublicationKey,
    replicas: usize,
) -> Result<Stream, ProjectorError> {
    match find(context, name).await? {
        Some(stream) => Ok(stream),
        None => context
            .create_stream(config(name, log, Some(key), replicas))
            .await
            .map_err(|e| ProjectorError::Stream(e.to_string())),
    }
}

/// Labels a stream without a label; all else stays as it is.
pub async fn put_label(context: &Context, stream: &Stream, log: &LogIdentity) -> Result<(), ProjectorError> {
    let mut config = stream.cached_info().config.clone();
    config.metadata.insert(LOG.to_owned(), log.id.to_string());
    context.update_stream(config).await.map(|_| ()).map_err(|e| ProjectorError::Stream(e.to_string()))
}

pub fn context(nats: &async_nats::Client) -> Context {
    ContextBuilder::new().timeout(CALL).ack_timeout(CALL).build(nats.clone())
}

/// Sequence of the stream's last message, which is the publisher's checkpoint.
pub async fn last_sequence(stream: &Stream) -> Result<i64, ProjectorError> {
    let info = stream.get_info().await.map_err(|e| ProjectorError::Stream(e.to_string()))?;
    i64::try_from(info.state.last_sequence).map_err(|_| ProjectorError::Stream("its sequence is too large".to_owned()))
}

/// Message at a position, if there is one.
pub async fn message(stream: &Stream, position: i64) -> Result<Option<StreamMessage>, ProjectorError> {
    match stream.direct_get(position as u64).await {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
        Err(error) => Err(ProjectorError::Stream(error.to_string())),
    }
}
