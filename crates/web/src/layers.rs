use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName,
    LINK, LOCATION, RETRY_AFTER, VARY,
};
use http::{HeaderValue, Method, StatusCode};
use taskfold_event_log::{LogIdentity, metrics};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

use crate::headers;
use crate::problem::{Code, Problem};

/// Of all header names and values of a request together.
const HEADER_BYTES: usize = 16 * 1024;

/// Puts around a router what every role has: problems for unknown paths and methods, for panics and for giant headers,
/// cross-origin access, and a metric a request. With a log, every answer names it.
pub fn around(router: Router, log: Option<watch::Receiver<LogIdentity>>) -> Router {
    let router = router
        .fallback(|| async { Problem::new(Code::NotFound, "There is no such path") })
        .method_not_allowed_fallback(async |method: Method| {
            if method == Method::OPTIONS {
                return StatusCode::NO_CONTENT.into_response();
            }
            Problem::new(Code::MethodNotAllowed, "The path exists, but not with this method: see the header Allow")
                .into_response()
        })
        .layer(from_fn(limit_headers));
    let router = match log {
        Some(log) => router.layer(from_fn_with_state(log, crate::log::name)),
        None => router,
    };
    router
        .layer(from_fn(crate::deadline::limit))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            Problem::internal(&"a handler panicked").into_response()
        }))
        .layer(from_fn(no_preflight))
        .layer(cross_origin())
        .layer(from_fn(tell_preflights))
        .layer(from_fn(measure))
        .layer(from_fn(crate::drain::what_is_left))
}

/// Any origin may call: requests carry a bearer token, never a cookie, so another site has nothing to ride on.
fn cross_origin() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(Any)
        // Named one by one, as asked: `*` would leave out Authorization (Fetch standard).
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            ETAG,
            LOCATION,
            LINK,
            RETRY_AFTER,
            ACCEPT_RANGES,
            CONTENT_DISPOSITION,
            CONTENT_LENGTH,
            CONTENT_RANGE,
            HeaderName::from_static(headers::POSITION),
            HeaderName::from_static(headers::LOG),
            HeaderName::from_static(headers::IDEMPOTENCY_REPLAYED),
            HeaderName::from_static(headers::ATTACHMENT_ID),
            // Of the protocol of resumable uploads, tus.
            HeaderName::from_static("tus-checksum-algorithm"),
            HeaderName::from_static("tus-extension"),
            HeaderName::from_static("tus-max-size"),
            HeaderName::from_static("tus-resumable"),
            HeaderName::from_static("tus-version"),
            HeaderName::from_static("upload-expires"),
            HeaderName::from_static("upload-length"),
            HeaderName::from_static("upload-metadata"),
            HeaderName::from_static("upload-offset"),
        ])
        .max_age(Duration::from_secs(3600))
}

/// An `OPTIONS` that is no preflight, such as one of the protocol tus.
#[derive(Clone, Copy)]
struct NoPreflight;

/// A preflight names the method that it is for (Fetch standard, 4.8). Any other `OPTIONS` goes past what answers preflights, under
/// another name.
async fn tell_preflights(mut request: Request, next: Next) -> Response {
    let preflight = request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if *request.method() == Method::OPTIONS && !preflight {
        request.extensions_mut().insert(NoPreflight);
        *request.method_mut() = Method::GET;
    }
    next.run(request).await
}

async fn no_preflight(mut request: Request, next: Next) -> Response {
    if request.extensions().get::<NoPreflight>().is_some() {
        *request.method_mut() = Method::OPTIONS;
    }
    next.run(request).await
}

/// What a read answers depends on who asks, and two people may share a browser or a cache on the way: every answer to one says so,
/// refusals too.
pub async fn vary_by_caller(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = next.run(request).await;
    if reads {
        response.headers_mut().append(VARY, HeaderValue::from_static("authorization"));
    }
    response
}

async fn limit_headers(request: Request, next: Next) -> Response {
    let bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > HEADER_BYTES {
        let detail = format!("The headers may have {HEADER_BYTES} bytes in all");
        return Problem::new(Code::HeadersTooLarge, detail).into_response();
    }
    next.run(request).await
}

async fn measure(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().as_str().to_owned();
    // The route, not the path: ids would make a series each.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::http_requests(method.clone(), route.clone(), status).increment(1);
    metrics::http_request_seconds(method, route).record(started.elapsed().as_secs_f64());
    response
}
