//! `GET /v1/me/claims`: list the placeholders that are offered to the caller.

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::Uri;
use serde::Serialize;
use taskfold_domain::ids::UserId;
use taskfold_web::Caller;
use taskfold_web::page::Page;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Query;
use utoipa::ToSchema;
use uuid::Uuid;

use super::offers_in_force;
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

/// List the placeholders that are offered to the caller, by id, with the newest offer in force of each.
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
    let placeholders = sqlx::query!(
        r#"
        SELECT a.user_id, a.display_name FROM accounts a
        WHERE a.user_id > $2 AND a.user_id IN (SELECT o.placeholder_id FROM placeholder_offers o WHERE o.user_id = $1)
        ORDER BY a.user_id
        LIMIT $3
        "#,
        caller.user_id.0,
        page.after(),
        page.row_limit(),
    )
    .fetch_all(&app.pool)
    .await
    .map_err(unavailable)?;
    let rows = page.response(&uri, placeholders, |placeholder| placeholder.user_id);
    let mut claims = Vec::with_capacity(rows.items().len());
    for placeholder in rows.items() {
        let mut offers = offers_in_force(&app, &caller, UserId(placeholder.user_id)).await?;
        offers.truncate(1);
        claims.extend(offers.into_iter().map(|offer| Claim {
            placeholder_id: placeholder.user_id,
            display_name: placeholder.display_name.clone(),
            project_id: offer.project_id,
            offered_by: offer.offered_by,
            offered_at: offer.offered_at,
        }));
    }
    Ok(rows.with_items(claims))
}
