//! A refusal may be answered before the request's body is read. The rest must still be taken: else the connection is closed
//! under a client that is sending, who then sees a broken pipe in place of the answer.

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
use http_body_util::{BodyExt, Limited};

use crate::read::BODY_BYTES;

const TIME: Duration = Duration::from_secs(2);

/// Takes what the handler left of the body, if it is no more than a JSON body may have; else says that the connection ends.
pub async fn what_is_left(request: Request, next: Next) -> Response {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let shared = Shared(Arc::new(Mutex::new(body)));
    let mut response = next.run(Request::from_parts(parts, Body::new(shared.clone()))).await;
    if !shared.is_end_stream() {
        let small = announced.is_none_or(|length| length <= BODY_BYTES as u64);
        let rest = Limited::new(shared, BODY_BYTES).collect();
        if !small || !matches!(tokio::time::timeout(TIME, rest).await, Ok(Ok(_))) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
    response
}

/// The request's body, which outlives the handler.
#[derive(Clone)]
struct Shared(Arc<Mutex<Body>>);

impl Shared {
    fn with<T>(&self, look: impl FnOnce(&mut Body) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpBody for Shared {
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
