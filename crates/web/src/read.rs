//! Extractors of bodies, paths and queries, with a clear problem for each mistake.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use taskfold_domain::limits::{ANONYMOUS_BODY_BYTES, BODY_BYTES, BODY_SECONDS};

use crate::auth::Caller;
use crate::deadline;
use crate::parse_errors::field_error;
use crate::problem::{Code, Problem};

/// Limit of the time in which a JSON body must arrive.
const MAX_BODY_TIME: Duration = Duration::from_secs(BODY_SECONDS);

/// A JSON body (`application/json`, `application/merge-patch+json`). An absent body is an empty object. Without a caller,
/// which is extracted before it, the body must be small.
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE).cloned();
        let is_known = request.extensions().get::<Caller>().is_some();
        let limit = if is_known { BODY_BYTES } else { ANONYMOUS_BODY_BYTES };
        let bytes = body_bytes(request, limit, MAX_BODY_TIME).await?;
        if bytes.is_empty() && content_type.is_none() {
            return parse_json(b"{}").map(Self);
        }
        must_be_json(content_type.as_ref())?;
        // serde would accept an array as the fields of an object, in their order.
        match bytes.trim_ascii_start().first() {
            Some(b'{') => parse_json(&bytes).map(Self),
            Some(_) | None => {
                parse_json::<serde::de::IgnoredAny>(&bytes)?;
                Err(Problem::invalid_field("", "must be an object"))
            }
        }
    }
}

/// 415 for a content type other than JSON.
pub fn must_be_json(content_type: Option<&http::HeaderValue>) -> Result<(), Problem> {
    let text = content_type.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // With a comma there are two types, and readers disagree about which one counts.
    if text.contains(',') {
        Err(Problem::new(Code::UnsupportedMediaType, "Send one content type, application/json"))
    } else if essence == "application/json" || essence == "application/merge-patch+json" {
        Ok(())
    } else {
        Err(Problem::new(Code::UnsupportedMediaType, "Send the content type application/json"))
    }
}

/// The whole body. It is refused as soon as it exceeds `limit` bytes, or if it does not arrive within `time`.
pub async fn body_bytes(request: Request, limit: usize, time: Duration) -> Result<Vec<u8>, Problem> {
    let too_large = || Problem::new(Code::PayloadTooLarge, format!("The body may have at most {limit} bytes"));
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    deadline::allow(time);
    let mut body = request.into_body();
    // Copied: each chunk, however small, would keep the buffer that it was read into.
    let collecting = async {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::new(Code::Malformed, "The body broke off"))?;
            let chunk = frame.data_ref().map_or(&[][..], |chunk| chunk.as_ref());
            if bytes.len() + chunk.len() > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(chunk);
        }
        Ok(bytes)
    };
    tokio::time::timeout(time, collecting).await.unwrap_or_else(|_| {
        Err(Problem::new(Code::RequestTimeout, format!("The body did not arrive within {} s", time.as_secs())))
    })
}

/// Parses JSON: malformed if it is not JSON, invalid at a pointer if it does not have the expected form.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // All of it must be JSON first. Otherwise the problem of an incomplete body could be a wrong field.
    let text = std::str::from_utf8(bytes).map_err(|_| Problem::new(Code::Malformed, "The body is not UTF-8"))?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|e| malformed(&e))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_data() {
            Problem::invalid(vec![field_error(pointer, &inner.to_string())])
        } else {
            malformed(&inner)
        }
    })
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(
        Code::Malformed,
        format!("The body is not valid JSON: line {}, column {}", error.line(), error.column()),
    )
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut pointer, segment| {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
        pointer
    })
}

/// Path parameters. 404 if an id is not a UUID.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|_| Problem::new(Code::NotFound, "Not found: ids are UUIDs"))
    }
}

/// The query string. Unknown parameters are refused, so that typing errors are noticed.
#[derive(Clone, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

pub fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let mut pairs: Vec<(String, String)> = serde_urlencoded::from_str(query)
        .map_err(|_| Problem::new(Code::Malformed, "The query string is not form-urlencoded UTF-8"))?;
    pairs.retain(|(name, _)| name != crate::log::PARAMETER);
    if let Some((name, _)) = pairs.iter().find(|(_, value)| value.contains('\0')) {
        return Err(Problem::invalid_field(format!("/{name}"), "must not contain the character U+0000"));
    }
    let encoded = serde_urlencoded::to_string(&pairs).unwrap_or_default();
    let deserializer = serde_urlencoded::Deserializer::new(form_pairs(&encoded));
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        Problem::invalid(vec![field_error(pointer, &error.into_inner().to_string())])
    })
}

fn form_pairs(encoded: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(encoded.as_bytes())
}
