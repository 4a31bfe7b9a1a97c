//! The protocol tus 1.0.0 (<https://tus.io/protocols/resumable-upload>): its core, `creation`, `expiration`, `termination`
//! and `checksum`. A file is announced, sent in as many requests as it takes, and attached by the last one.

/// Send the next bytes; the last ones make the attachment.
pub mod append;
/// Announce a file.
pub mod create;
/// What is offered.
pub mod describe;
/// Where an upload is.
pub mod get;
/// Methods in a header.
pub mod override_method;
/// End an upload that is not complete.
pub mod remove;
/// The protocol's headers.
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
        .layer(map_response(tus::speaks))
}
