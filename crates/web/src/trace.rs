//! A span and an access line for each request, and the id by which both are found.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use taskfold_event_log::metrics;
use tracing::field::{Empty, display};
use tracing::{Instrument as _, Span};

use crate::auth::Caller;
use crate::headers;

/// Header with the id of a request: the one that the client sent, or else the id of its trace.
pub const REQUEST_ID: &str = "x-request-id";
/// Longest id that is accepted from a client.
const MAX_ID_BYTES: usize = 128;
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Runs the request in a span, measures it, logs a line for it at debug level, and returns its id. Commands of the
/// request are appended with the same trace.
pub async fn trace(mut request: Request, next: Next) -> Response {
    let traceparent = headers::traceparent(request.headers());
    let trace_id = traceparent.get(3..35).unwrap_or_default().to_owned();
    let given = given_id(request.headers());
    if let Ok(value) = HeaderValue::from_str(&traceparent) {
        request.headers_mut().insert(TRACEPARENT, value);
    }
    let method = request.method().as_str().to_owned();
    // The route and not the path: paths would create a series each, and some contain secrets.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let request_id = given.as_deref().unwrap_or(&trace_id);
    let span = tracing::info_span!("request", method, route, request_id, trace_id = Empty, user_id = Empty);
    if given.is_some() {
        span.record("trace_id", &trace_id);
    }
    let id = HeaderValue::from_str(request_id);
    let line = AccessLine { span: span.clone(), started: Instant::now(), status: None };
    let mut response = next.run(request).instrument(span).await;
    line.answered(&response, method, route);
    if let Ok(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Adds the caller to the span of the request.
pub(crate) fn record_caller(caller: &Caller) {
    Span::current().record("user_id", display(caller.user_id.0));
}

/// Id that the client sent, if it is short and printable.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    (!id.is_empty() && id.len() <= MAX_ID_BYTES).then(|| id.to_owned())
}

/// The line of a request: its status, or that its client disconnected before the response.
struct AccessLine {
    span: Span,
    started: Instant,
    status: Option<u16>,
}

impl AccessLine {
    fn answered(mut self, response: &Response, method: String, route: String) {
        let status = response.status();
        self.status = Some(status.as_u16());
        metrics::http_requests(method.clone(), route.clone(), status.as_u16().to_string()).increment(1);
        metrics::http_request_seconds(method, route).record(self.started.elapsed().as_secs_f64());
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        let elapsed_ms = self.started.elapsed().as_secs_f64() * 1_000.0;
        self.span.in_scope(|| match self.status {
            Some(status) => tracing::debug!(status, elapsed_ms, "answered"),
            None => tracing::debug!(elapsed_ms, "the client disconnected before the response"),
        });
    }
}
