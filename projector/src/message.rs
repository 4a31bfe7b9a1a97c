//! An event as it is published.

use async_nats::HeaderMap;
use bytes::Bytes;
use chrono::SecondsFormat;
use serde::Deserialize;
use taskfold_domain::change::TRUNCATED_HEADER;
use taskfold_event_log::{LogError, LogIdentity, LoggedEvent};
use uuid::Uuid;

/// The id of the log, as an extension attribute of CloudEvents.
pub const LOG_HEADER: &str = "ce-taskfoldlog";
/// Of the headers, and what the server adds.
const HEADER_BYTES: usize = 4096;

/// The payload, whole or without its `changes`, with the headers that go with it.
pub fn encode(event: &LoggedEvent, log: &LogIdentity, max_payload: usize) -> Result<(HeaderMap, Bytes), LogError> {
    let payload = event.change_json()?;
    if payload.len() + HEADER_BYTES <= max_payload {
        return Ok((headers(event, log), payload.into()));
    }
    tracing::error!(position = event.position, bytes = payload.len(), "larger than the server's max_payload");
    truncated(event, log)
}

/// Of a Change that is too large.
pub fn truncated(event: &LoggedEvent, log: &LogIdentity) -> Result<(HeaderMap, Bytes), LogError> {
    let mut headers = headers(event, log);
    headers.insert(TRUNCATED_HEADER, "true");
    let empty = LoggedEvent { changes: Some("{}".to_owned()), ..event.clone() };
    Ok((headers, empty.change_json()?.into()))
}

/// CloudEvents 1.0, NATS protocol binding, binary mode.
fn headers(event: &LoggedEvent, log: &LogIdentity) -> HeaderMap {
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
    headers.insert(LOG_HEADER, log.id.to_string());
    headers.insert("content-type", "application/json");
    if let Some(traceparent) = &event.traceparent {
        headers.insert("traceparent", traceparent.as_str());
    }
    headers
}

/// Whether a published Change is that of this event: its command and position, which no other event has together.
pub fn is_of(payload: &[u8], event: &LoggedEvent) -> bool {
    #[derive(Deserialize)]
    struct Head {
        position: i64,
        command_id: Uuid,
    }
    serde_json::from_slice::<Head>(payload)
        .is_ok_and(|head| (head.position, head.command_id) == (event.position, event.command_id))
}
