//! `OPTIONS` of any path of uploads: the supported extensions of the tus protocol.

use axum::extract::State;
use axum::response::Response;

use super::tus;
use crate::http::app::App;

/// Describe the supported extensions in headers, for anybody. Part of the tus protocol, and therefore not in the
/// document.
pub async fn handler(State(app): State<App>) -> Response {
    tus::options(app.uploads.limit)
}
