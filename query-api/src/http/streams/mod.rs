//! Live streams of Changes, as server-sent events (WHATWG HTML, 9.2).

/// Change of what an open stream carries.
pub mod change;
/// Changes of a stream of this instance.
mod local;
/// Stream of several projects and the channel `me`.
pub mod multi;
/// Other instances.
pub mod peers;
/// Stream of one project.
pub mod project;
/// Refusals of streams, with their log line and counter.
mod refusal;
/// Changes of streams on other instances.
pub mod remote;
/// Requests for a stream.
mod request;
/// Revocation of a stream's token.
mod revocation;
/// Cursor from which a client continues.
mod start;
/// Tickets, each of which opens one stream.
mod ticket;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(project::handler))
        .routes(routes!(multi::handler))
        .routes(routes!(change::handler))
}
