//! `DELETE /v1/sessions/current`: sign out.

use axum::extract::State;
use http::StatusCode;
use taskfold_web::audit::{self, Action};
use taskfold_web::auth::{Means, ReadOnlyCaller};
use taskfold_web::client::Client;
use taskfold_web::problem::TokenProblems;
use taskfold_web::{Code, Problem};

use super::end_sessions::end_sessions;
use crate::http::app::App;
use crate::http::error::ApiError;

/// Sign out: end the session, its refresh token and, within 2 seconds, its access token, its tickets and its streams.
#[utoipa::path(
    delete, path = "/v1/sessions/current", operation_id = "signOut", tag = "accounts",
    responses((status = 204, description = "Signed out"), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    ReadOnlyCaller(caller): ReadOnlyCaller,
) -> Result<StatusCode, ApiError> {
    let session = match caller.means {
        Means::Session(session) => session,
        Means::ApiToken(_) => {
            return Err(Problem::new(Code::Forbidden, "An API token has no session: revoke the token instead").into());
        }
        Means::Outside => {
            return Err(
                Problem::new(Code::Forbidden, "The session belongs to the external issuer: sign out there").into()
            );
        }
    };
    end_sessions(&app, caller.user_id, Some(session), None).await?;
    audit::done(Action::SignOut, &client, caller.user_id.0, session);
    Ok(StatusCode::NO_CONTENT)
}
