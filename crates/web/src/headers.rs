//! Request headers.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use taskfold_domain::Precondition;
use taskfold_event_log::Clock;
use uuid::Uuid;

use crate::problem::{Code, Problem};

pub const POSITION: &str = "taskfold-position";
pub const MIN_POSITION: &str = "taskfold-min-position";
/// Id of the log of a request or a response.
pub const LOG: &str = "taskfold-log";
pub const LAST_EVENT_ID: &str = "last-event-id";
/// Id of the attachment that an upload has created.
pub const ATTACHMENT_ID: &str = "taskfold-attachment-id";
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
pub const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";

/// A header as text. Malformed if there are several of the name, or if it is not text.
pub fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let only = values.next().is_none();
    match value.to_str() {
        Ok(text) if only => Ok(Some(text.trim())),
        Ok(_) | Err(_) => Err(Problem::new(Code::Malformed, format!("The header {name} must be one line of ASCII"))),
    }
}

/// `Idempotency-Key: <uuid>`, quoted or not: the id of the command, unique per caller.
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyKey(pub Option<Uuid>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(text) = one(&parts.headers, IDEMPOTENCY_KEY)? else { return Ok(Self(None)) };
        let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        // Only the usual form: the parser also accepts braces, URNs and UUIDs without hyphens.
        Uuid::try_parse(bare)
            .ok()
            .filter(|_| bare.len() == 36)
            .map(|key| Self(Some(key)))
            .ok_or_else(|| Problem::new(Code::Malformed, "The header Idempotency-Key must be a UUID"))
    }
}

/// `If-Match: "<version>"`, strict or, with `Prefer: handling=lenient`, lenient.
#[derive(Clone, Copy, Debug)]
pub struct IfMatch(pub Precondition);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(text) = one(&parts.headers, "if-match")? else { return Ok(Self(Precondition::None)) };
        if text == "*" {
            return Ok(Self(Precondition::None));
        }
        // The tag of a compressed response is weak.
        let tag = text.strip_prefix("W/").unwrap_or(text);
        let version =
            tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')).and_then(version_of).ok_or_else(|| {
                Problem::new(Code::Malformed, "The header If-Match must be a quoted version, such as \"7\"")
            })?;
        let lenient = Prefer::of(&parts.headers).lenient;
        Ok(Self(if lenient { Precondition::Lenient(version) } else { Precondition::Strict(version) }))
    }
}

/// Version in a tag. After a point, a tag may contain the rest of the state of the response that it belongs to.
fn version_of(tag: &str) -> Option<u64> {
    let version = tag.split_once('.').map_or(tag, |(version, _)| version);
    version.parse().ok()
}

/// The header `Prefer` (RFC 7240). Unknown preferences are ignored, as the RFC requires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    /// `handling=lenient`.
    pub lenient: bool,
    /// `wait=<seconds>`.
    pub wait_seconds: Option<u32>,
}

impl Prefer {
    pub fn of(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        let lines = headers.get_all("prefer").iter().filter_map(|v| v.to_str().ok());
        for preference in lines.flat_map(|line| line.split(',')) {
            let preference = preference.split(';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "handling" => prefer.lenient = value.eq_ignore_ascii_case("lenient"),
                "wait" => prefer.wait_seconds = value.parse().ok(),
                _ => {}
            }
        }
        prefer
    }
}

/// The `traceparent` (W3C Trace Context) of a request, or that of a new trace. An extension of the request.
#[derive(Clone)]
pub struct Traceparent(String);

impl Traceparent {
    pub(crate) fn of(headers: &HeaderMap, clock: &Clock) -> Self {
        Self(given_traceparent(headers).unwrap_or_else(|| clock.new_traceparent()))
    }

    pub fn trace_id(&self) -> &str {
        self.0.get(3..35).unwrap_or_default()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn given_traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = text.split('-');
    let lengths = [2, 32, 16, 2];
    let well_formed = lengths.iter().all(|length| {
        parts.next().is_some_and(|p| p.len() == *length && p.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
    });
    (well_formed && parts.next().is_none()).then(|| text.to_owned())
}
