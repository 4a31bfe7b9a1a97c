//! Changes of streams on other instances, through NATS. A request reaches any instance, and its stream is on one.
//! Anyone who may publish on these subjects can name any user as the sender, and cannot make that user see anything
//! more.

use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::{Client, Message};
use futures::StreamExt as _;
use taskfold_live::{CarriedChannels, StreamRegistry};
use taskfold_web::deadline;

use super::local::{self, ChangeRefusal, StreamChangeMessage};
use crate::http::app::App;

/// Limit for the other instance to reply.
const REPLY_LIMIT: Duration = Duration::from_secs(5);
const RESUBSCRIBE_AFTER: Duration = Duration::from_millis(500);
const MAX_CONCURRENT_CHANGES: usize = 64;

/// Changes a stream, on this instance or another.
pub async fn change(app: &App, message: StreamChangeMessage) -> Result<CarriedChannels, ChangeRefusal> {
    let instance = StreamRegistry::instance_of(message.stream_id);
    if instance == app.hub.streams().instance() {
        return local::change(app, message).await;
    }
    deadline::allow(REPLY_LIMIT);
    let peers = app.peers.as_ref().ok_or(ChangeRefusal::NotFound)?;
    let requesting = async {
        let payload = serde_json::to_vec(&message).map_err(|_| ChangeRefusal::Unavailable)?;
        let request = async_nats::Request::new().payload(payload.into()).timeout(Some(REPLY_LIMIT));
        let reply = peers.client.send_request(peers.subject(&instance), request).await;
        let reply = reply.map_err(|error| {
            // Without responders, the instance is gone, and its streams have ended with it.
            let is_gone = error.kind() == RequestErrorKind::NoResponders;
            if is_gone { ChangeRefusal::NotFound } else { ChangeRefusal::Unavailable }
        })?;
        let changed = serde_json::from_slice::<Result<CarriedChannels, ChangeRefusal>>(&reply.payload);
        changed.map_err(|_| ChangeRefusal::Unavailable)?
    };
    // Without a connection to NATS, the request itself would wait for one.
    tokio::time::timeout(REPLY_LIMIT, requesting).await.unwrap_or(Err(ChangeRefusal::Unavailable))
}

/// Executes the changes that other instances forward, until shutdown.
pub async fn serve(app: App) {
    let Some(peers) = app.peers.clone() else { return app.shutdown.cancelled().await };
    let shutdown = app.shutdown.clone();
    let serving = async {
        loop {
            match peers.client.subscribe(peers.subject(&app.hub.streams().instance())).await {
                Ok(messages) => {
                    let reply = |message| reply(&app, &peers.client, message);
                    messages.for_each_concurrent(MAX_CONCURRENT_CHANGES, reply).await;
                }
                Err(error) => tracing::warn!(%error, "the subscription to changes of streams failed, retrying"),
            }
            tokio::time::sleep(RESUBSCRIBE_AFTER).await;
        }
    };
    shutdown.run_until_cancelled(serving).await;
}

async fn reply(app: &App, client: &Client, request: Message) {
    let parsed = serde_json::from_slice::<StreamChangeMessage>(&request.payload);
    let (Some(reply), Ok(message)) = (request.reply, parsed) else {
        return tracing::warn!(subject = %request.subject, "a change of a stream has an unknown format, ignoring it");
    };
    let changed = local::change(app, message).await;
    let sent = match serde_json::to_vec(&changed) {
        Ok(payload) => match tokio::time::timeout(REPLY_LIMIT, client.publish(reply, payload.into())).await {
            Ok(sent) => sent.map_err(|error| error.to_string()),
            Err(elapsed) => Err(elapsed.to_string()),
        },
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = sent {
        tracing::warn!(error, "the reply to a change of a stream could not be sent");
    }
}
