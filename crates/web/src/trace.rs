//! A span and an access line for each request, and the id by which both are found.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method};
use taskfold_domain::limits::REQUEST_ID_BYTES;
use taskfold_event_log::{Clock, metrics};
use tracing::field::{Empty, display};
use tracing::{Instrument as _, Span};

use crate::auth::Caller;
use crate::headers::Traceparent;

/// Header with the id of a request: the one that the client sent, or else the id of its trace.
pub const REQUEST_ID: &str = "x-request-id";

/// Runs the request in a span, measures it, logs a line for it at debug level, and returns its id. Commands of the
/// request are appended with the same trace.
pub async fn trace(State(clock): State<Clock>, mut request: Request, next: Next) -> Response {
    let traceparent = Traceparent::of(request.headers(), &clock);
    let trace_id = traceparent.trace_id().to_owned();
    let given = given_id(request.headers());
    request.extensions_mut().insert(traceparent);
    let method = known(request.method());
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
    let usable = (1..=REQUEST_ID_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    usable.then(|| id.to_owned())
}

/// Name of a standard method. Clients may invent others, each of which would be a series of its own.
fn known(method: &Method) -> &'static str {
    const STANDARD: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"];
    STANDARD.into_iter().find(|name| *name == method.as_str()).unwrap_or("other")
}

/// The line of a request: its status, or that it ended before the response, because the client disconnected or the
/// process was shut down.
struct AccessLine {
    span: Span,
    started: Instant,
    status: Option<u16>,
}

impl AccessLine {
    fn answered(mut self, response: &Response, method: &'static str, route: String) {
        let status = response.status();
        self.status = Some(status.as_u16());
        metrics::http_requests(method, route.clone(), status.as_u16().to_string()).increment(1);
        metrics::http_request_seconds(method, route).record(self.started.elapsed().as_secs_f64());
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        let elapsed_ms = self.started.elapsed().as_secs_f64() * 1_000.0;
        self.span.in_scope(|| match self.status {
            Some(status) => tracing::debug!(status, elapsed_ms, "answered"),
            None => tracing::debug!(elapsed_ms, "ended before the response"),
        });
    }
}
