//! Hashing and verification of passwords.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use serde::Deserialize;
use taskfold_domain::limits::{PASSWORD_MAX_BYTES, PASSWORD_MIN_CHARS};
use taskfold_web::{Code, Problem};
use utoipa::ToSchema;

use crate::http::app::App;
use crate::http::error::ApiError;

/// A new password, of at least 10 characters. It has no `Debug`, so that it is never logged.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, format = Password, min_length = 10)]
pub struct NewPassword(String);

impl TryFrom<String> for NewPassword {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.chars().count() < PASSWORD_MIN_CHARS {
            Err(format!("must have at least {PASSWORD_MIN_CHARS} characters"))
        } else if text.len() > PASSWORD_MAX_BYTES {
            Err(format!("must have at most {PASSWORD_MAX_BYTES} bytes"))
        } else {
            Ok(Self(text))
        }
    }
}

/// Verified for unknown usernames, so that their response takes as long as that for known ones.
static DUMMY_HASH: LazyLock<String> = LazyLock::new(|| {
    Argon2::default().hash_password(b"nobody has this password").map(|hash| hash.to_string()).unwrap_or_default()
});

/// Hashes a password by argon2id (with the default parameters of OWASP), as a PHC string.
pub async fn hash(app: &App, password: NewPassword) -> Result<String, ApiError> {
    on_blocking_thread(app, move || {
        Argon2::default()
            .hash_password(password.0.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|e| Problem::internal(&e).into())
    })
    .await?
}

/// True if the password is right. Without a hash, false after the same amount of work.
pub async fn verify(app: &App, password: String, stored: Option<String>) -> Result<bool, ApiError> {
    if password.len() > PASSWORD_MAX_BYTES {
        return Ok(false);
    }
    on_blocking_thread(app, move || {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| DUMMY_HASH.clone());
        Argon2::default().verify_password(password.as_bytes(), stored.as_str()).is_ok() && known
    })
    .await
}

async fn on_blocking_thread<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let _permit =
        app.hashing.acquire().await.map_err(|_| Problem::new(Code::Unavailable, "The server is shutting down"))?;
    Ok(tokio::task::spawn_blocking(work).await.map_err(|e| Problem::internal(&e))?)
}
