//! Changes as they happen, as server-sent events (WHATWG HTML, 9.2).

/// What an open stream carries.
pub mod change;
/// Who comes in, and from where the stream goes on.
mod door;
/// Changes that reach another instance than the stream's.
pub mod elsewhere;
/// Changes of a stream of this instance.
mod here;
/// Of one project.
pub mod project;
/// Of several projects on one connection.
pub mod several;
/// Tickets open one stream.
mod ticket;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(project::handler))
        .routes(routes!(several::handler))
        .routes(routes!(change::handler))
}
