//! Filters that somebody saved for themselves, a file each operation. Those for a whole project are its events.

/// A new one.
pub mod create;
/// Another name or query.
pub mod edit;
/// Those there are.
pub mod list;
/// No longer.
pub mod remove;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::http::app::App;

/// How many a person may have.
pub const MOST: i64 = 200;

/// A filter that somebody saved for themselves.
#[derive(Serialize, ToSchema, sqlx::FromRow)]
pub struct OwnFilter {
    #[sqlx(rename = "filter_id")]
    id: Uuid,
    project_id: Uuid,
    name: String,
    /// Query parameters of the project's list of tasks.
    #[schema(example = "status=todo,running&sort=due_at")]
    query: String,
    created_at: DateTime<Utc>,
}

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::handler, create::handler)).routes(routes!(edit::handler, remove::handler))
}
