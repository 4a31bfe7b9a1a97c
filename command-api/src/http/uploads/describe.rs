use axum::extract::State;
use axum::response::Response;

use super::tus;
use crate::http::app::App;

/// What is offered of the protocol tus, in headers, to anybody: `OPTIONS` of any address of uploads. A part of that protocol, and so not
/// in the document.
pub async fn handler(State(app): State<App>) -> Response {
    tus::offer(app.uploads.limit)
}
