use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LINK};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use sha2::{Digest, Sha256};
use taskfold_web::headers::POSITION;

use super::error::ReadError;
use super::page::Page;
use super::reading::{Reading, Snapshot};

const JSON: &str = "application/json";

/// What a read answers: 200 with a body, or 304 when the caller has it already.
pub struct Answer {
    position: i64,
    etag: String,
    link: Option<String>,
    content_type: &'static str,
    /// `None`: not modified.
    body: Option<Vec<u8>>,
}

impl Answer {
    /// The tag is made of the body.
    pub async fn new(reading: &Reading, snapshot: Snapshot, body: &impl Serialize) -> Result<Self, ReadError> {
        let body = serde_json::to_vec(body)?;
        let etag = format!("\"{}\"", digest(&body));
        Ok(Self::tagged(reading, snapshot, etag, body).await)
    }

    /// Of something with a version: the tag begins with it, as `If-Match` takes it, and is made of the whole body behind the
    /// point, which shows more than the version tells: the caller's role, what is watched, other tasks.
    pub async fn versioned(
        reading: &Reading,
        snapshot: Snapshot,
        version: i64,
        body: &impl Serialize,
    ) -> Result<Self, ReadError> {
        let body = serde_json::to_vec(body)?;
        let etag = format!("\"{version}.{}\"", digest(&body));
        Ok(Self::tagged(reading, snapshot, etag, body).await)
    }

    pub async fn page<T: Serialize>(reading: &Reading, snapshot: Snapshot, page: &Page<T>) -> Result<Self, ReadError> {
        Self::list(reading, snapshot, page, page.next_cursor.as_deref()).await
    }

    /// A page with something beside it.
    pub async fn list(
        reading: &Reading,
        snapshot: Snapshot,
        body: &impl Serialize,
        next_cursor: Option<&str>,
    ) -> Result<Self, ReadError> {
        let mut answer = Self::new(reading, snapshot, body).await?;
        answer.link = next_cursor.map(|cursor| next_link(&reading.uri, cursor));
        Ok(answer)
    }

    pub async fn tagged_page<T: Serialize>(
        reading: &Reading,
        snapshot: Snapshot,
        etag: String,
        page: &Page<T>,
    ) -> Result<Self, ReadError> {
        let mut answer = Self::tagged(reading, snapshot, etag, serde_json::to_vec(page)?).await;
        answer.link = page.next_cursor.as_deref().map(|cursor| next_link(&reading.uri, cursor));
        Ok(answer)
    }

    /// 304, when the caller has what this tag stands for: before anything is read.
    pub async fn unchanged(reading: &Reading, snapshot: Snapshot, etag: &str) -> Result<Self, Snapshot> {
        if !reading.if_none_match.as_deref().is_some_and(|tags| matches(tags, etag)) {
            return Err(snapshot);
        }
        let position = snapshot.position;
        snapshot.close().await;
        Ok(Self { position, etag: etag.to_owned(), link: None, content_type: JSON, body: None })
    }

    pub async fn tagged(reading: &Reading, snapshot: Snapshot, etag: String, body: Vec<u8>) -> Self {
        let position = snapshot.position;
        snapshot.close().await;
        let known = reading.if_none_match.as_deref().is_some_and(|tags| matches(tags, &etag));
        Self { position, etag, link: None, content_type: JSON, body: (!known).then_some(body) }
    }

    /// Something else than JSON.
    pub fn of_type(self, content_type: &'static str) -> Self {
        Self { content_type, ..self }
    }
}

/// Of what is read, as text.
pub fn digest(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(bytes)[..15])
}

/// The weak comparison of RFC 9110, 13.1.2.
pub fn matches(if_none_match: &str, etag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    if_none_match.trim() == "*" || if_none_match.split(',').any(|tag| bare(tag) == bare(etag))
}

/// The same request with the next cursor (RFC 8288).
fn next_link(uri: &http::Uri, cursor: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if name != "cursor" && name != "min_position" {
            query.append_pair(&name, &value);
        }
    }
    query.append_pair("cursor", cursor);
    format!("<{}?{}>; rel=\"next\"", uri.path(), query.finish())
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Some(body) => (StatusCode::OK, [(CONTENT_TYPE, self.content_type)], body).into_response(),
            None => StatusCode::NOT_MODIFIED.into_response(),
        };
        let headers = response.headers_mut();
        // Kept by the one who asked, and asked about again before it is used: what may be seen changes, and so do words that
        // are erased.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(HeaderName::from_static(POSITION), self.position.into());
        for (name, value) in [(ETAG, Some(self.etag)), (LINK, self.link)] {
            if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
                headers.insert(name, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        assert!(matches("\"a\"", "\"a\""));
        assert!(matches("\"b\", W/\"a\"", "\"a\""));
        assert!(matches("*", "\"a\""));
        assert!(!matches("\"b\"", "\"a\""));
    }

    #[test]
    fn the_next_link_keeps_the_filters_and_replaces_the_cursor() {
        let uri = http::Uri::from_static("/v1/projects/x/tasks?q=a%20b&cursor=old&min_position=3");
        assert_eq!(next_link(&uri, "new"), "</v1/projects/x/tasks?q=a+b&cursor=new>; rel=\"next\"");
    }
}
