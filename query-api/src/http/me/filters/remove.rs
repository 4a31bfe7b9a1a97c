//! `DELETE /v1/me/filters/{filter_id}`: removes a saved filter.

use axum::extract::State;
use http::StatusCode;
use taskfold_web::problem::OwnProblems;
use taskfold_web::read::Path;
use taskfold_web::{Caller, Problem};
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::snapshot::begin_write;

/// Remove a saved filter.
#[utoipa::path(
    delete, path = "/v1/me/filters/{filter_id}", operation_id = "removeMyFilter", tag = "me",
    params(("filter_id" = Uuid, Path, description = "the filter")),
    responses((status = 204, description = "Removed"), OwnProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path(filter_id): Path<Uuid>,
) -> Result<StatusCode, ReadError> {
    let mut db = begin_write(&app, &caller).await?;
    let removed = sqlx::query!("DELETE FROM own_filters WHERE filter_id = $1", filter_id).execute(&mut *db).await?;
    db.commit().await?;
    if removed.rows_affected() == 0 { Err(Problem::not_found().into()) } else { Ok(StatusCode::NO_CONTENT) }
}
