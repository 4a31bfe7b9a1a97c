//! Compression of response bodies: of JSON and other text, never of streams and files.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_TYPE, ETAG};
use taskfold_domain::limits::UNCOMPRESSED_BYTES;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

/// Media types that are compressed. Files may be compressed already, and a range of a file is a range of its bytes;
/// frames of a stream must not wait for one another.
const COMPRESSED: [&str; 4] =
    ["application/json", "application/problem+json", "text/calendar; charset=utf-8", "application/x-ndjson"];

/// Text that is not a file.
#[derive(Clone, Copy, Debug)]
pub struct IsCompressible;

impl Predicate for IsCompressible {
    fn should_compress<B: http_body::Body>(&self, response: &http::Response<B>) -> bool {
        let headers = response.headers();
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        // Files say that they have ranges, whatever their type.
        !headers.contains_key(ACCEPT_RANGES) && media_type.is_some_and(|media_type| COMPRESSED.contains(&media_type))
    }
}

/// Compresses with gzip, br or zstd, as the client accepts it, and adds `Vary: accept-encoding`. Levels are the fastest:
/// a board shrinks to a tenth, and the higher levels take several times as long for a few per cent.
pub fn layer() -> CompressionLayer<And<SizeAbove, IsCompressible>> {
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(UNCOMPRESSED_BYTES).and(IsCompressible))
}

/// Makes the tag of a compressed response weak: it has other bytes than the response that is not (RFC 9110, 8.8.3.3).
pub async fn weaken_tags(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.headers().contains_key(CONTENT_ENCODING)
        && let Some(tag) = response.headers().get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""))
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        response.headers_mut().insert(ETAG, weak);
    }
    response
}
