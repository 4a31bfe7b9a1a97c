//! Changes as they happen, as server-sent events (WHATWG HTML, 9.2).

/// Who comes in, and from where the stream goes on.
mod door;
/// Of one project.
pub mod project;
/// Of several projects on one connection.
pub mod several;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(project::handler)).routes(routes!(several::handler))
}
