//! Layers around every router: fallbacks, panics, cross-origin access, limits, and tracing.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName,
    LINK, LOCATION, RETRY_AFTER, VARY,
};
use http::{HeaderValue, Method, StatusCode};
use taskfold_domain::limits::HEADER_BYTES;
use taskfold_event_log::{Clock, LogIdentity};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

use crate::problem::{Code, Problem};
use crate::{compression, headers, rate_limit};

/// Adds the layers of every role to a router: problems for unknown paths and methods, for panics and for large headers,
/// security headers, and tracing. `api` may be used from other origins, `internal` may not. With a log, every response
/// names it.
///
/// Layers are added in groups, the outermost first: each `Router::layer` boxes what is behind it, which each layer in
/// front of it clones for each request.
pub fn around(api: Router, internal: Router, log: Option<watch::Receiver<LogIdentity>>, clock: Clock) -> Router {
    let api = api.fallback(|| async { Problem::new(Code::NotFound, "The path does not exist") });
    let compressed = (from_fn(compression::weaken_tags), compression::layer());
    let cross_origin = (from_fn(mark_plain_options), cross_origin(), compressed, from_fn(restore_options));
    let api = guarded(api, log.clone()).layer(cross_origin);
    api.merge(guarded(internal, log)).layer((
        from_fn(crate::security_headers::add),
        from_fn(crate::drain::read_rest),
        from_fn_with_state(clock, crate::trace::trace),
    ))
}

/// Adds the layers closest to the handlers.
fn guarded(router: Router, log: Option<watch::Receiver<LogIdentity>>) -> Router {
    let router = router.method_not_allowed_fallback(async |method: Method| {
        if method == Method::OPTIONS {
            return StatusCode::NO_CONTENT.into_response();
        }
        Problem::new(Code::MethodNotAllowed, "The path does not support this method: see the header Allow")
            .into_response()
    });
    let catch_panics = CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
        Problem::internal(&"a handler panicked").into_response()
    });
    let (deadline, limit_headers) = (from_fn(crate::deadline::limit), from_fn(limit_headers));
    match log {
        Some(log) => {
            router.layer((catch_panics, deadline, from_fn_with_state(log, crate::log::identify), limit_headers))
        }
        None => router.layer((catch_panics, deadline, limit_headers)),
    }
}

/// Allows all origins: requests have a bearer token and never a cookie, so another site cannot misuse a session.
fn cross_origin() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(Any)
        // Each header by its name: `*` does not include Authorization (Fetch standard).
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
            HeaderName::from_static(crate::trace::REQUEST_ID),
            HeaderName::from_static(rate_limit::RATE_LIMIT),
            HeaderName::from_static(rate_limit::RATE_LIMIT_POLICY),
            // Headers of the tus protocol.
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

/// An `OPTIONS` request that is not a preflight, such as those of the tus protocol.
#[derive(Clone, Copy)]
struct PlainOptions;

/// Hides `OPTIONS` requests that are not preflights from the CORS layer, as `GET` requests. A preflight names the
/// method that it is for (Fetch standard, 4.8).
async fn mark_plain_options(mut request: Request, next: Next) -> Response {
    let preflight = request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if *request.method() == Method::OPTIONS && !preflight {
        request.extensions_mut().insert(PlainOptions);
        *request.method_mut() = Method::GET;
    }
    next.run(request).await
}

/// Restores the method that [`mark_plain_options`] has changed.
async fn restore_options(mut request: Request, next: Next) -> Response {
    if request.extensions().get::<PlainOptions>().is_some() {
        *request.method_mut() = Method::OPTIONS;
    }
    next.run(request).await
}

/// Adds `Vary: authorization` to all responses to reads: they depend on the caller, and two users may share a browser
/// or a cache.
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
        let detail = format!("The headers may have at most {HEADER_BYTES} bytes in total");
        return Problem::new(Code::HeadersTooLarge, detail).into_response();
    }
    next.run(request).await
}
