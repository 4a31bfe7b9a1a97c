//! Messages: events as they are published.

use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use bytes::Bytes;
use chrono::SecondsFormat;
use serde::Deserialize;
use taskfold_domain::change::TRUNCATED_HEADER;
use taskfold_event_log::{LOG_HEADER, LogIdentity, LoggedEvent, PublicationKey, SIGNATURE_HEADER};
use uuid::Uuid;

/// Bytes of the headers, and of what the server adds.
const HEADER_BYTES: usize = 4096;

/// Log whose events are published, with the key that signs them.
pub struct Publication {
    pub log: LogIdentity,
    pub key: PublicationKey,
    /// Prefix of the subjects.
    pub prefix: String,
}

impl Publication {
    /// Encodes headers and payload, with or without `changes`. An event that cannot be read has none to send; it is
    /// published all the same, because of the events behind it.
    pub fn encode(&self, event: &LoggedEvent, max_payload: usize) -> (HeaderMap, Bytes) {
        match event.change_json() {
            Ok(payload) if payload.len() + HEADER_BYTES <= max_payload => {
                return (self.headers(event, &payload), payload.into());
            }
            Ok(payload) => {
                tracing::error!(
                    position = event.position,
                    bytes = payload.len(),
                    "larger than the server's max_payload"
                );
            }
            Err(error) => tracing::error!(%error, "published without its changes"),
        }
        self.truncated(event)
    }

    /// Message for a Change that is too large, or cannot be read.
    fn truncated(&self, event: &LoggedEvent) -> (HeaderMap, Bytes) {
        let empty = LoggedEvent { payload: r#"{"changes":{}}"#.to_owned(), ..event.clone() };
        let payload = empty.change_json().unwrap_or_else(|_| of_columns(event).to_string());
        let mut headers = self.headers(event, &payload);
        headers.insert(TRUNCATED_HEADER, "true");
        (headers, payload.into())
    }

    /// Differences between a message of the stream and the one that is published for the event, each with the position.
    pub fn differences(&self, event: &LoggedEvent, message: &StreamMessage) -> Vec<String> {
        let position = event.position;
        let (headers, payload) = match message.headers.get(TRUNCATED_HEADER) {
            Some(_) => self.truncated(event),
            None => self.encode(event, usize::MAX),
        };
        let mut differences = Vec::new();
        if message.payload != payload {
            differences.push(format!("{position} is not the Change of its position"));
        }
        if message.subject.as_str() != event.nats_subject(&self.prefix) {
            differences.push(format!("{position} has the subject {}", message.subject));
        }
        for (name, values) in headers.iter() {
            let name = name.to_string();
            let given = message.headers.get(name.as_str());
            // Earlier releases wrote neither.
            let is_optional = name == LOG_HEADER || name == SIGNATURE_HEADER;
            if given != values.first() && !(given.is_none() && is_optional) {
                differences.push(format!("{position} has another header {name}"));
            }
        }
        differences
    }

    /// Tells whether a projector of this log published the message at this position.
    pub fn has_signed(&self, position: i64, message: &StreamMessage) -> bool {
        let signature = message.headers.get(SIGNATURE_HEADER);
        signature
            .is_some_and(|signature| self.key.has_signed(self.log.id, position, &message.payload, signature.as_str()))
    }

    fn headers(&self, event: &LoggedEvent, payload: &str) -> HeaderMap {
        let mut headers = headers(event, &self.log);
        headers.insert(SIGNATURE_HEADER, self.key.sign(self.log.id, event.position, payload.as_bytes()));
        headers
    }
}

/// Attributes from the columns of a row whose payload cannot be read.
fn of_columns(event: &LoggedEvent) -> serde_json::Value {
    serde_json::json!({
        "position": event.position,
        "version": event.sequence,
        "project_id": event.project_id,
        "subject": {"kind": event.aggregate_type, "id": event.aggregate_id},
        "actor_id": event.actor_id,
        "command_id": event.command_id,
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "type": event.event_type,
        "changes": {},
    })
}

/// CloudEvents 1.0, NATS protocol binding, binary mode.
fn headers(event: &LoggedEvent, log: &LogIdentity) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", event.position.to_string());
    headers.insert("ce-type", on_one_line(format!("taskfold.{}.v{}", event.event_type, event.event_version)));
    let source = match event.project_id {
        Some(project) => format!("/v1/projects/{project}"),
        None => format!("/v1/{}s/{}", event.aggregate_type, event.aggregate_id),
    };
    headers.insert("ce-source", on_one_line(source));
    headers.insert("ce-subject", on_one_line(format!("{}/{}", event.aggregate_type, event.aggregate_id)));
    headers.insert("ce-time", event.occurred_at.to_rfc3339_opts(SecondsFormat::Micros, true));
    headers.insert("ce-sequence", event.position.to_string());
    headers.insert(LOG_HEADER, log.id.to_string());
    headers.insert("content-type", "application/json");
    if let Some(traceparent) = &event.traceparent {
        headers.insert("traceparent", on_one_line(traceparent.clone()));
    }
    headers
}

/// Removes line breaks, which would end a header.
fn on_one_line(text: String) -> String {
    // Nearly all texts are on one line, and are not copied.
    if text.bytes().any(|byte| matches!(byte, b'\r' | b'\n')) { text.replace(['\r', '\n'], " ") } else { text }
}

/// Compares command and position, which no two events share, to tell whether a published Change is that of this event.
pub fn is_of(payload: &[u8], event: &LoggedEvent) -> bool {
    #[derive(Deserialize)]
    struct Head {
        position: i64,
        command_id: Uuid,
    }
    serde_json::from_slice::<Head>(payload)
        .is_ok_and(|head| (head.position, head.command_id) == (event.position, event.command_id))
}
