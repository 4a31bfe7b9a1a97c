//! `GET /v1/me/claims`: list the placeholders that are offered to the caller.

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::Uri;
use serde::Serialize;
use taskfold_web::Caller;
use taskfold_web::page::Page;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Query;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::page::{ListResponse, Params};

/// A placeholder that is offered to the caller.
#[derive(Serialize, ToSchema)]
pub struct Claim {
    placeholder_id: Uuid,
    /// Name of the imported person.
    display_name: Option<String>,
    project_id: Uuid,
    /// Member who offered it.
    offered_by: Uuid,
    offered_at: DateTime<Utc>,
}

/// List the placeholders that are offered to the caller, by id. One that several projects offer is listed once.
#[utoipa::path(
    get, path = "/v1/me/claims", operation_id = "listClaims", tag = "invitations",
    params(Params),
    responses(
        (status = 200, description = "A page of placeholders", body = Page<Claim>),
        TokenProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Query(params): Query<Params>,
) -> Result<ListResponse<Claim>, ApiError> {
    caller.must_be_person()?;
    let page = params.page_of("claims", caller.user_id.0)?;
    let claims = sqlx::query_as!(
        Claim,
        r#"
        SELECT DISTINCT ON (o.placeholder_id)
               o.placeholder_id, a.display_name, o.project_id, o.offered_by, o.offered_at
        FROM placeholder_offers o JOIN accounts a ON a.user_id = o.placeholder_id
        WHERE o.user_id = $1 AND o.placeholder_id > $2
        ORDER BY o.placeholder_id, o.offered_at DESC
        LIMIT $3
        "#,
        caller.user_id.0,
        page.after(),
        page.row_limit(),
    )
    .fetch_all(&app.pool)
    .await
    .map_err(unavailable)?;
    Ok(page.response(&uri, claims, |claim| claim.placeholder_id))
}
