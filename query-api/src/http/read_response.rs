//! Responses to reads: 200 with a body, or 304, with the position, the `ETag` and the link to the next page.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LINK};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use taskfold_web::headers::POSITION;

use super::error::ReadError;
use super::etag::{digest, matches};
use super::page::Page;
use super::read_request::ReadRequest;
use super::snapshot::Snapshot;

const JSON: &str = "application/json";

/// Response to a read.
pub struct ReadResponse {
    position: i64,
    etag: String,
    link: Option<String>,
    content_type: &'static str,
    /// `None` for 304.
    body: Option<Vec<u8>>,
}

impl ReadResponse {
    /// Response with a tag that is the digest of the body.
    pub async fn new(request: &ReadRequest, snapshot: Snapshot, body: &impl Serialize) -> Result<Self, ReadError> {
        let body = serde_json::to_vec(body)?;
        let etag = format!("\"{}\"", digest(&body));
        Ok(Self::tagged(request, snapshot, etag, body).await)
    }

    /// Response of a resource with a version. The tag starts with the version, as `If-Match` takes it. After the dot is
    /// the digest of the body, which also depends on the caller's role, on what they watch, and on other tasks.
    pub async fn versioned(
        request: &ReadRequest,
        snapshot: Snapshot,
        version: i64,
        body: &impl Serialize,
    ) -> Result<Self, ReadError> {
        let body = serde_json::to_vec(body)?;
        let etag = format!("\"{version}.{}\"", digest(&body));
        Ok(Self::tagged(request, snapshot, etag, body).await)
    }

    pub async fn page<T: Serialize>(
        request: &ReadRequest,
        snapshot: Snapshot,
        page: &Page<T>,
    ) -> Result<Self, ReadError> {
        Self::list(request, snapshot, page, page.next_cursor.as_deref()).await
    }

    /// Page with additional fields.
    pub async fn list(
        request: &ReadRequest,
        snapshot: Snapshot,
        body: &impl Serialize,
        next_cursor: Option<&str>,
    ) -> Result<Self, ReadError> {
        let mut response = Self::new(request, snapshot, body).await?;
        response.link = next_cursor.map(|cursor| next_link(&request.uri, cursor));
        Ok(response)
    }

    pub async fn tagged_page<T: Serialize>(
        request: &ReadRequest,
        snapshot: Snapshot,
        etag: String,
        page: &Page<T>,
    ) -> Result<Self, ReadError> {
        let mut response = Self::tagged(request, snapshot, etag, serde_json::to_vec(page)?).await;
        response.link = page.next_cursor.as_deref().map(|cursor| next_link(&request.uri, cursor));
        Ok(response)
    }

    /// 304 if the caller has the response with this tag. Otherwise returns the snapshot, to read the content.
    pub async fn unchanged(request: &ReadRequest, snapshot: Snapshot, etag: &str) -> Result<Self, Snapshot> {
        if !request.if_none_match.as_deref().is_some_and(|tags| matches(tags, etag)) {
            return Err(snapshot);
        }
        let position = snapshot.position;
        snapshot.close().await;
        Ok(Self { position, etag: etag.to_owned(), link: None, content_type: JSON, body: None })
    }

    pub async fn tagged(request: &ReadRequest, snapshot: Snapshot, etag: String, body: Vec<u8>) -> Self {
        let position = snapshot.position;
        snapshot.close().await;
        let body = unless_known(request.if_none_match.as_deref(), &etag, body);
        Self { position, etag, link: None, content_type: JSON, body }
    }

    /// Sets a content type other than JSON.
    pub fn of_type(self, content_type: &'static str) -> Self {
        Self { content_type, ..self }
    }
}

/// The body, unless the client has it already by one of the tags in `If-None-Match`.
pub fn unless_known(if_none_match: Option<&str>, etag: &str, body: Vec<u8>) -> Option<Vec<u8>> {
    let is_known = if_none_match.is_some_and(|tags| matches(tags, etag));
    (!is_known).then_some(body)
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

impl IntoResponse for ReadResponse {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Some(body) => (StatusCode::OK, [(CONTENT_TYPE, self.content_type)], body).into_response(),
            None => StatusCode::NOT_MODIFIED.into_response(),
        };
        let headers = response.headers_mut();
        // Cached for this caller only, and revalidated before each use: permissions change, and content is erased.
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
    fn the_next_link_keeps_the_filters_and_replaces_the_cursor() {
        let uri = http::Uri::from_static("/v1/projects/x/tasks?q=a%20b&cursor=old&min_position=3");
        assert_eq!(next_link(&uri, "new"), "</v1/projects/x/tasks?q=a+b&cursor=new>; rel=\"next\"");
    }
}
