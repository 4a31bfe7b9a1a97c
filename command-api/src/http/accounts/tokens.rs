//! The tokens of a session, and secrets.

use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use sha2::{Digest, Sha256};
use taskfold_domain::ids::UserId;
use taskfold_domain::limits::ACCESS_TOKEN_SECONDS;
use taskfold_event_log::Clock;
use taskfold_web::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::ApiError;

/// The tokens of a session. A refresh token can be used once: each refresh returns a new one.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    access_token: String,
    refresh_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Lifetime of the access token, in seconds.
    #[schema(example = 900)]
    expires_in: i64,
    user_id: Uuid,
}

impl Tokens {
    pub fn new(app: &App, user: UserId, session: Uuid, refresh_token: String) -> Result<Self, ApiError> {
        let access_token = app.signer.access_token(user, session).map_err(|e| Problem::internal(&e))?;
        Ok(Self {
            access_token,
            refresh_token,
            token_type: "Bearer",
            expires_in: ACCESS_TOKEN_SECONDS,
            user_id: user.0,
        })
    }
}

impl IntoResponse for Tokens {
    fn into_response(self) -> Response {
        let mut response = Json(self).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// A new secret: 256 random bits, as text.
pub fn new_secret(clock: &Clock) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(clock.random_bytes(32))
}

/// Digest of a secret, to be stored. It needs no salt, because nobody can guess 256 bits.
pub fn digest(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// Error of the database, as callers see it.
pub fn unavailable(error: sqlx::Error) -> ApiError {
    taskfold_commands::CommandError::from(error).into()
}
