//! Saved filters of the caller, one operation per file. Filters for all members of a project are part of the project.

/// Creation of a filter.
pub mod create;
/// Change of a filter.
pub mod edit;
/// List of the filters.
pub mod list;
/// Removal of a filter.
pub mod remove;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::http::app::App;

/// A saved filter of the caller.
#[derive(Serialize, ToSchema)]
pub struct OwnFilter {
    id: Uuid,
    project_id: Uuid,
    name: String,
    /// Query parameters of the project's task list.
    #[schema(example = "status=todo,running&sort=due_at")]
    query: String,
    created_at: DateTime<Utc>,
}

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::handler, create::handler)).routes(routes!(edit::handler, remove::handler))
}
