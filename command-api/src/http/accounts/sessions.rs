//! `GET /v1/me/sessions`: list the caller's open sessions.

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

use super::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::page::{ListResponse, Params};

/// A session: a device that is signed in.
#[derive(Serialize, ToSchema)]
pub struct Session {
    id: Uuid,
    /// Time of the sign-in.
    created_at: DateTime<Utc>,
    /// Time of its last refresh. A client in use refreshes it every 15 minutes.
    refreshed_at: Option<DateTime<Utc>>,
    /// Time at which it ends unless it is refreshed before.
    expires_at: DateTime<Utc>,
    /// Address from which the person signed in.
    address: Option<String>,
    user_agent: Option<String>,
    /// The session of this request.
    current: bool,
}

/// List the caller's open sessions, oldest first.
#[utoipa::path(
    get, path = "/v1/me/sessions", operation_id = "listSessions", tag = "accounts",
    params(Params),
    responses(
        (status = 200, description = "A page of sessions", body = Page<Session>),
        TokenProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Query(params): Query<Params>,
) -> Result<ListResponse<Session>, ApiError> {
    caller.must_be_person()?;
    let page = params.page_of("sessions", caller.user_id.0)?;
    let sessions = sqlx::query_as!(
        Session,
        r#"
        SELECT session_id AS id, created_at, refreshed_at, expires_at, address, user_agent,
               session_id IS NOT DISTINCT FROM $4::uuid AS "current!"
        FROM sessions
        WHERE user_id = $1 AND session_id > $2 AND ended_at IS NULL AND expires_at > now()
        ORDER BY session_id
        LIMIT $3
        "#,
        caller.user_id.0,
        page.after(),
        page.row_limit(),
        caller.authority().session,
    )
    .fetch_all(&app.pool)
    .await
    .map_err(unavailable)?;
    Ok(page.response(&uri, sessions, |session| session.id))
}
