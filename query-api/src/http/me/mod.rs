/// Their own saved filters.
pub mod filters;
/// What they are to do.
pub mod tasks;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use taskfold_web::{Code, Problem};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::answer::Answer;
use super::app::App;
use super::error::ReadError;
use super::reading::{ReadHeaders, Reading};
use super::values::Position;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(handler)).routes(routes!(tasks::handler)).merge(filters::router())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AtLeast {
    /// Answer only with what reflects this position.
    #[param(value_type = Option<u64>)]
    pub min_position: Option<Position>,
}

/// Who is signed in.
#[derive(Serialize, ToSchema, sqlx::FromRow)]
pub struct Me {
    user_id: Uuid,
    #[schema(example = "ada-lark")]
    username: String,
    display_name: String,
}

/// Who is signed in.
#[utoipa::path(
    get, path = "/v1/me", operation_id = "getMe", tag = "me",
    params(AtLeast, ReadHeaders),
    responses((status = 200, description = "The caller", body = Me), (status = 304, description = "As before"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Query(query): Query<AtLeast>,
) -> Result<Answer, ReadError> {
    let mut snapshot = reading.snapshot(&app, query.min_position).await?;
    let me: Option<Me> = sqlx::query_as("SELECT user_id, username, display_name FROM accounts WHERE user_id = $1")
        .bind(reading.caller.user_id.0)
        .fetch_optional(&mut *snapshot.db)
        .await?;
    let me = me.ok_or_else(|| Problem::new(Code::Unauthenticated, "The account is no longer there"))?;
    Answer::new(&reading, snapshot, &me).await
}
