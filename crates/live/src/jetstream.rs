use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::Error as BoxError;
use async_nats::connection::State;
use async_nats::jetstream::consumer::{DeliverPolicy, pull::OrderedConfig};
use bytes::Bytes;
use taskfold_domain::change::TRUNCATED_HEADER;
use taskfold_event_log::LOG_HEADER;
use tokio::sync::{Notify, mpsc};
use tokio_stream::StreamExt;
use uuid::Uuid;

use super::hub::Hub;

const RETRY_AFTER: Duration = Duration::from_millis(500);

/// A message of the stream: its sequence is the position.
pub struct Announced {
    pub position: i64,
    /// As it says itself. Those of releases before logs had ids say nothing.
    pub log: Option<Uuid>,
    pub payload: Bytes,
}

/// How the stream is doing, as the feeder sees it.
#[derive(Clone)]
pub struct Jet {
    client: async_nats::Client,
    stream: String,
    open: Arc<AtomicBool>,
    renew: Arc<Notify>,
}

impl Jet {
    pub fn new(client: async_nats::Client, stream: String) -> Self {
        Self { client, stream, open: Arc::default(), renew: Arc::default() }
    }

    /// Whether messages may be expected from it.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) && self.client.connection_state() == State::Connected
    }

    /// Asks for a new consumer: this one says nothing although there is something to say.
    pub fn renew(&self) {
        self.renew.notify_one();
    }

    /// Sends on what the stream has behind the hub's position, with a new consumer after every error.
    pub async fn pull(self, hub: Arc<Hub>, sender: mpsc::Sender<Announced>) {
        loop {
            let ended = tokio::select! {
                () = self.renew.notified() => "it was silent".into(),
                Err(error) = self.follow(&hub, &sender) => error,
            };
            if self.open.swap(false, Ordering::Relaxed) {
                tracing::warn!(reason = %ended, "not following JetStream, trying again; the log is read meanwhile");
            } else {
                tracing::debug!(reason = %ended, "JetStream cannot be followed yet");
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    async fn follow(&self, hub: &Hub, sender: &mpsc::Sender<Announced>) -> Result<Infallible, BoxError> {
        let stream = async_nats::jetstream::new(self.client.clone()).get_stream(&self.stream).await?;
        let start_sequence = u64::try_from(hub.position())? + 1;
        let deliver_policy = DeliverPolicy::ByStartSequence { start_sequence };
        let consumer = stream.create_consumer(OrderedConfig { deliver_policy, ..OrderedConfig::default() }).await?;
        let mut messages = consumer.messages().await?;
        self.open.store(true, Ordering::Relaxed);
        while let Some(message) = messages.next().await {
            let message = message?;
            if message.headers.as_ref().is_some_and(|headers| headers.get(TRUNCATED_HEADER).is_some()) {
                // Not the whole Change: left out, the feeder reads it from the log.
                continue;
            }
            let position = i64::try_from(message.info().map_err(|e| e.to_string())?.stream_sequence)?;
            let log = message.headers.as_ref().and_then(|headers| headers.get(LOG_HEADER));
            let log = log.map(|log| log.as_str().parse()).transpose()?;
            sender.send(Announced { position, log, payload: message.message.payload }).await?;
        }
        Err("the consumer ended".into())
    }
}
