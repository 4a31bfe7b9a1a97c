use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::message::PublishMessage;
use chrono::SecondsFormat;
use futures::stream::FuturesOrdered;
use taskfold_domain::change::TRUNCATED_HEADER;
use taskfold_event_log::LoggedEvent;
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::lead::wait;
use crate::{Deps, ProjectorError, stream};

/// Events read at once, and publishes under way at once.
const PAGE: i64 = 512;
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What was projected last.
#[derive(Clone, Default)]
pub struct Projected {
    /// In order, up to `position`.
    pub events: Arc<[LoggedEvent]>,
    /// Where the read tables are with them.
    pub position: i64,
}

impl Projected {
    /// The events behind `last`, when all of them are here: they need not be read again.
    fn behind(&self, last: i64) -> Option<&[LoggedEvent]> {
        let first = self.events.iter().position(|event| event.position == last + 1)?;
        self.events.get(first..)
    }
}

/// Publishes what is projected, from where the stream ends. Each message is fenced by the sequence before it, so a
/// projector that lost its lease without knowing is refused.
pub async fn run(deps: &Deps, mut projected: watch::Receiver<Projected>, working: &CancellationToken) {
    while !working.is_cancelled() {
        if let Err(error) = publish_on(deps, &mut projected, working).await {
            tracing::warn!(%error, "not publishing, trying again");
            wait(working).await;
        }
    }
}

async fn publish_on(
    deps: &Deps,
    projected: &mut watch::Receiver<Projected>,
    working: &CancellationToken,
) -> Result<(), ProjectorError> {
    let stream = stream::ensure(&deps.nats, &deps.stream).await?;
    let mut last = stream::last_sequence(&stream).await?;
    let context = stream::context(&deps.nats);
    let prefix = stream::prefix(&deps.stream);
    tracing::info!(position = last, "publishing behind the stream's last message");
    let mut ask = true;
    while !working.is_cancelled() {
        let latest = projected.borrow_and_update().clone();
        if let Some(events) = latest.behind(last) {
            last = publish_page(&context, &prefix, events, last).await?;
            metrics::gauge!("taskfold_published_position").set(last as f64);
            continue;
        }
        // Whoever heard everything still asks now and then: being told is for speed.
        let upto = if ask || latest.position > last {
            taskfold_event_log::projected_position(&deps.pool).await?
        } else {
            last
        };
        if last > upto {
            let known = taskfold_event_log::head(&deps.pool).await?;
            if last > known {
                return Err(ProjectorError::Stream(format!(
                    "it ends at {last}, but the log at {known}: they are not of one system"
                )));
            }
        }
        while last < upto && !working.is_cancelled() {
            let page = taskfold_event_log::page_between(&deps.pool, last + 1, upto.min(last + PAGE)).await?;
            last = publish_page(&context, &prefix, &page, last).await?;
            metrics::gauge!("taskfold_published_position").set(last as f64);
        }
        ask = tokio::select! {
            () = working.cancelled() => return Ok(()),
            changed = projected.changed() => match changed {
                Ok(()) => false,
                Err(_) => return Ok(()),
            },
            () = tokio::time::sleep(ASK_EVERY) => true,
        };
    }
    Ok(())
}

/// Publishes without waiting for each acknowledgement; the first refusal fails all behind it, and the caller resumes from
/// the stream's last message.
async fn publish_page(
    context: &Context,
    prefix: &str,
    page: &[LoggedEvent],
    mut last: i64,
) -> Result<i64, ProjectorError> {
    let mut acks: FuturesOrdered<<PublishAckFuture as IntoFuture>::IntoFuture> = FuturesOrdered::new();
    for event in page {
        let sent = send(context, prefix, event).await?;
        acks.push_back(sent.into_future());
    }
    while let Some(ack) = acks.next().await {
        let ack = ack.map_err(|e| ProjectorError::Stream(e.to_string()))?;
        last = i64::try_from(ack.sequence).unwrap_or(i64::MAX);
        metrics::counter!("taskfold_published_events_total").increment(1);
    }
    Ok(last)
}

async fn send(context: &Context, prefix: &str, event: &LoggedEvent) -> Result<PublishAckFuture, ProjectorError> {
    let mut headers = cloud_event_headers(event);
    let mut payload = event.change_json()?;
    if payload.len() + 4096 > context.client().server_info().max_payload {
        tracing::error!(position = event.position, bytes = payload.len(), "larger than the server's max_payload");
        headers.insert(TRUNCATED_HEADER, "true");
        payload = LoggedEvent { changes: Some("{}".to_owned()), ..event.clone() }.change_json()?;
    }
    let message = PublishMessage::build()
        .payload(payload.into())
        .headers(headers)
        .expected_last_sequence((event.position - 1) as u64);
    context.send_publish(event.nats_subject(prefix)?, message).await.map_err(|e| ProjectorError::Stream(e.to_string()))
}

/// CloudEvents 1.0, NATS protocol binding, binary mode.
fn cloud_event_headers(event: &LoggedEvent) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", event.position.to_string());
    headers.insert("ce-type", format!("taskfold.{}.v{}", event.event_type, event.event_version));
    let source = match event.project_id {
        Some(project) => format!("/v1/projects/{project}"),
        None => format!("/v1/teams/{}", event.aggregate_id),
    };
    headers.insert("ce-source", source);
    headers.insert("ce-subject", format!("{}/{}", event.aggregate_type, event.aggregate_id));
    headers.insert("ce-time", event.occurred_at.to_rfc3339_opts(SecondsFormat::Micros, true));
    headers.insert("ce-sequence", event.position.to_string());
    headers.insert("content-type", "application/json");
    if let Some(traceparent) = &event.traceparent {
        headers.insert("traceparent", traceparent.as_str());
    }
    headers
}
