//! The tus protocol 1.0.0 (<https://tus.io/protocols/resumable-upload>): its core, `creation`, `expiration`,
//! `termination` and `checksum`. An upload is created, sent in any number of requests, and attached by the last one.

/// Append bytes to an upload.
pub mod append;
/// Create an upload.
pub mod create;
/// Describe the supported extensions, in response to `OPTIONS`.
pub mod describe;
/// Get the offset of an upload of the caller.
pub mod get;
/// Methods in the header `X-HTTP-Method-Override`.
pub mod override_method;
/// Cancel an incomplete upload of the caller, and remove its bytes.
pub mod remove;
/// Headers of the protocol.
mod tus;

use axum::middleware::map_response;
use axum::routing::options;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::handler))
        .routes(routes!(get::handler, append::handler, remove::handler))
        .route("/v1/tasks/{task_id}/uploads", options(describe::handler))
        .route("/v1/tasks/{task_id}/uploads/{upload_id}", options(describe::handler).post(override_method::handler))
        .layer(map_response(tus::add_version))
}
