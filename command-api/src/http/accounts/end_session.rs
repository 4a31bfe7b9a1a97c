//! `DELETE /v1/me/sessions/{session_id}`: end a session of the caller.

use axum::extract::State;
use http::StatusCode;
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Path;
use taskfold_web::{Caller, Problem};
use uuid::Uuid;

use super::end_sessions::end_sessions;
use crate::http::app::App;
use crate::http::error::ApiError;

/// End a session of the caller, such as that of a lost device. Within 2 seconds its access token, its tickets and its
/// streams end too.
#[utoipa::path(
    delete, path = "/v1/me/sessions/{session_id}", operation_id = "endSession", tag = "accounts",
    params(("session_id" = Uuid, Path, description = "the session")),
    responses((status = 204, description = "Ended"), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Path(session_id): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    caller.must_be_person()?;
    if end_sessions(&app, caller.user_id, Some(session_id), None).await? == 0 {
        return Err(Problem::not_found().into());
    }
    audit::done(Action::SessionEnd, &client, caller.user_id.0, session_id);
    Ok(StatusCode::NO_CONTENT)
}
