//! The protocol tus 1.0.0 (<https://tus.io/protocols/resumable-upload>): its core, `creation`, `expiration` and
//! `termination`. A file is announced, sent in as many requests as it takes, and attached by the last one.

/// Send the next bytes; the last ones make the attachment.
pub mod append;
/// Announce a file.
pub mod create;
/// Where an upload is.
pub mod get;
/// End an upload that is not complete.
pub mod remove;
/// The protocol's headers.
mod tus;

use axum::middleware::map_response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::handler))
        .routes(routes!(get::handler))
        .routes(routes!(append::handler))
        .routes(routes!(remove::handler))
        .layer(map_response(tus::speaks))
}
