//! Consumer of the JetStream stream: passes its messages to the feeder, with a new consumer after every error.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::Error as BoxError;
use async_nats::connection::State;
use async_nats::jetstream::consumer::{DeliverPolicy, pull::OrderedConfig};
use bytes::Bytes;
use taskfold_domain::change::TRUNCATED_HEADER;
use taskfold_event_log::{LOG_HEADER, SIGNATURE_HEADER};
use tokio::sync::{Notify, mpsc};
use tokio_stream::StreamExt;
use uuid::Uuid;

use super::hub::Hub;

const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Message of the stream.
pub struct StreamMessage {
    /// Sequence of the message, which is the position of its event.
    pub position: i64,
    /// Log id from the header. Messages of releases before log ids have none.
    pub log: Option<Uuid>,
    /// Signature from the header, if it has one.
    pub signature: Option<String>,
    pub payload: Bytes,
}

/// Handle of the consumer.
#[derive(Clone)]
pub struct StreamConsumer {
    client: async_nats::Client,
    stream: String,
    open: Arc<AtomicBool>,
    restart: Arc<Notify>,
}

impl StreamConsumer {
    pub fn new(client: async_nats::Client, stream: String) -> Self {
        Self { client, stream, open: Arc::default(), restart: Arc::default() }
    }

    /// Returns whether messages can be expected.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) && self.client.connection_state() == State::Connected
    }

    /// Requests a new consumer, because the current one does not deliver messages that the stream should have.
    pub fn restart(&self) {
        self.restart.notify_one();
    }

    /// Sends the messages after the hub's position to `sender`.
    pub async fn run(self, hub: Arc<Hub>, sender: mpsc::Sender<StreamMessage>) {
        loop {
            let reason = tokio::select! {
                () = self.restart.notified() => "the consumer delivered nothing".into(),
                Err(error) = self.consume(&hub, &sender) => error,
            };
            if self.open.swap(false, Ordering::Relaxed) {
                tracing::warn!(%reason, "JetStream is not consumed, retrying; live streams read the log meanwhile");
            } else {
                tracing::debug!(%reason, "JetStream cannot be consumed yet, retrying");
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    async fn consume(&self, hub: &Hub, sender: &mpsc::Sender<StreamMessage>) -> Result<Infallible, BoxError> {
        let stream = async_nats::jetstream::new(self.client.clone()).get_stream(&self.stream).await?;
        let start_sequence = u64::try_from(hub.position())? + 1;
        let deliver_policy = DeliverPolicy::ByStartSequence { start_sequence };
        let consumer = stream.create_consumer(OrderedConfig { deliver_policy, ..OrderedConfig::default() }).await?;
        let mut messages = consumer.messages().await?;
        self.open.store(true, Ordering::Relaxed);
        while let Some(message) = messages.next().await {
            let message = message?;
            if message.headers.as_ref().is_some_and(|headers| headers.get(TRUNCATED_HEADER).is_some()) {
                // Not the whole Change: skipped, and the feeder reads it from the log.
                continue;
            }
            let position = i64::try_from(message.info().map_err(|e| e.to_string())?.stream_sequence)?;
            let log = message.headers.as_ref().and_then(|headers| headers.get(LOG_HEADER));
            // One that is not an id is nobody's.
            let log = log.map(|log| log.as_str().parse().unwrap_or_default());
            let signature = message.headers.as_ref().and_then(|headers| headers.get(SIGNATURE_HEADER));
            let signature = signature.map(|signature| signature.as_str().to_owned());
            sender.send(StreamMessage { position, log, signature, payload: message.message.payload }).await?;
        }
        Err("the consumer ended".into())
    }
}
