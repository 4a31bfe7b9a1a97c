//! Files on tasks, an operation a file.

/// The bytes of one, or a range of them.
pub mod content;
/// Which there are.
pub mod list;
/// What a browser may do with a file.
mod manners;
/// Which bytes are asked for.
mod range;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::handler)).routes(routes!(content::handler))
}
