//! Reading of the rest of a request body after an early response. Otherwise the connection would be closed while the
//! client is still sending, and the client would get an error instead of the response.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::HttpBody;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use taskfold_domain::limits::ANONYMOUS_BODY_BYTES;

/// Limit of the time for the rest of a body.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Extension of a response before the end of its request's body. The server sends the response, and then reads what the
/// client still sends before it closes the connection.
#[derive(Clone, Copy, Debug)]
pub struct UnreadBody;

/// Discards the part of the body that the handler has left, if it is small: the caller may be anybody. If there is more,
/// the connection is closed after the response.
pub async fn read_rest(request: Request, next: Next) -> Response {
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let body = RequestBody(Arc::new(Mutex::new(body)));
    let mut response = next.run(Request::from_parts(parts, Body::new(body.clone()))).await;
    if !body.is_end_stream() {
        let is_small = declared.is_none_or(|length| length <= ANONYMOUS_BODY_BYTES as u64);
        let discarding = tokio::time::timeout(TIME_LIMIT, discard(body, ANONYMOUS_BODY_BYTES));
        if !is_small || !discarding.await.unwrap_or(false) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response.extensions_mut().insert(UnreadBody);
        }
    }
    response
}

/// Reads to the end of the body without storing it. Returns false if it has more than `limit` bytes, or breaks off.
async fn discard(mut body: RequestBody, limit: usize) -> bool {
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > limit {
            return false;
        }
    }
    true
}

/// The body of a request, which outlives the handler.
#[derive(Clone)]
struct RequestBody(Arc<Mutex<Body>>);

impl RequestBody {
    fn with<T>(&self, use_body: impl FnOnce(&mut Body) -> T) -> T {
        use_body(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.with(|body| Pin::new(body).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| body.size_hint())
    }
}
