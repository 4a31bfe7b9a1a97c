//! A request reaches any instance, and a stream is on one: NATS carries the one to the other. Whoever may publish there is
//! trusted with who asks, and with nothing that this person may not see.

use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::{Client, Message};
use futures::StreamExt as _;
use taskfold_web::deadline;

use super::here::{self, Refused, Wanted};
use crate::http::app::App;
use taskfold_live::{Channels, Streams};

/// For the other instance to answer.
const LIMIT: Duration = Duration::from_secs(5);
/// Before subscribing again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Changes under way at one time.
const AT_ONCE: usize = 64;

/// The way to other instances.
#[derive(Clone)]
pub struct Peers {
    pub client: Client,
    /// With which all subjects of this system begin.
    pub prefix: String,
}

impl Peers {
    fn subject(&self, instance: &str) -> String {
        format!("{}.streams.{instance}", self.prefix)
    }
}

/// Changes a stream, wherever it is.
pub async fn change(app: &App, wanted: Wanted) -> Result<Channels, Refused> {
    let instance = Streams::instance_of(wanted.stream_id);
    if instance == app.hub.streams().instance() {
        return here::change(app, wanted).await;
    }
    deadline::allow(LIMIT);
    let peers = app.peers.as_ref().ok_or(Refused::NotFound)?;
    let asked = async {
        let payload = serde_json::to_vec(&wanted).map_err(|_| Refused::Unavailable)?;
        let request = async_nats::Request::new().payload(payload.into()).timeout(Some(LIMIT));
        let answer = peers.client.send_request(peers.subject(&instance), request).await;
        let answer = answer.map_err(|error| match error.kind() {
            // No such instance: its streams have ended with it.
            RequestErrorKind::NoResponders => Refused::NotFound,
            _ => Refused::Unavailable,
        })?;
        serde_json::from_slice::<Result<Channels, Refused>>(&answer.payload).map_err(|_| Refused::Unavailable)?
    };
    // Without NATS, the request itself would wait for it.
    tokio::time::timeout(LIMIT, asked).await.unwrap_or(Err(Refused::Unavailable))
}

/// Does what reaches this instance from others, until shutdown.
pub async fn serve(app: App) {
    let Some(peers) = app.peers.clone() else { return app.shutdown.cancelled().await };
    let shutdown = app.shutdown.clone();
    let serving = async {
        loop {
            match peers.client.subscribe(peers.subject(&app.hub.streams().instance())).await {
                Ok(asked) => asked.for_each_concurrent(AT_ONCE, |asked| answer(&app, &peers.client, asked)).await,
                Err(error) => tracing::warn!(%error, "changes of streams do not reach this instance, trying again"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    };
    shutdown.run_until_cancelled(serving).await;
}

async fn answer(app: &App, client: &Client, asked: Message) {
    let (Some(reply), Ok(wanted)) = (asked.reply, serde_json::from_slice::<Wanted>(&asked.payload)) else {
        return tracing::warn!(subject = %asked.subject, "a change of a stream that cannot be read");
    };
    let changed = here::change(app, wanted).await;
    let sent = match serde_json::to_vec(&changed) {
        Ok(payload) => match tokio::time::timeout(LIMIT, client.publish(reply, payload.into())).await {
            Ok(sent) => sent.map_err(|error| error.to_string()),
            Err(silent) => Err(silent.to_string()),
        },
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = sent {
        tracing::warn!(error, "the answer to a change of a stream was not sent");
    }
}
