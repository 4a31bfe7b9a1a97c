use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use serde::Deserialize;
use taskfold_web::{Code, Problem};
use utoipa::ToSchema;

use crate::http::app::App;
use crate::http::error::ApiError;

const CHARS: usize = 10;
/// A longer one only costs us time.
const BYTES: usize = 1024;

/// At least 10 characters. Not printed, not logged.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, format = Password, min_length = 10)]
pub struct NewPassword(String);

impl TryFrom<String> for NewPassword {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.chars().count() < CHARS {
            Err("must have at least 10 characters")
        } else if text.len() > BYTES {
            Err("must have at most 1024 bytes")
        } else {
            Ok(Self(text))
        }
    }
}

/// Checked when nobody has the name, so that the answer takes as long as for somebody's.
static NOBODYS: LazyLock<String> = LazyLock::new(|| {
    Argon2::default().hash_password(b"nobody has this password").map(|hash| hash.to_string()).unwrap_or_default()
});

/// The argon2id hash (OWASP's default parameters), as a PHC string.
pub async fn hash(app: &App, password: NewPassword) -> Result<String, ApiError> {
    on_a_thread(app, move || {
        Argon2::default()
            .hash_password(password.0.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|e| Problem::internal(&e).into())
    })
    .await?
}

/// Whether the password fits; without a hash, after as much work, that it does not.
pub async fn fits(app: &App, password: String, stored: Option<String>) -> Result<bool, ApiError> {
    if password.len() > BYTES {
        return Ok(false);
    }
    on_a_thread(app, move || {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODYS.clone());
        Argon2::default().verify_password(password.as_bytes(), stored.as_str()).is_ok() && known
    })
    .await
}

async fn on_a_thread<T: Send + 'static>(app: &App, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let _permit = app.hashing.acquire().await.map_err(|_| Problem::new(Code::Unavailable, "Shutting down"))?;
    Ok(tokio::task::spawn_blocking(work).await.map_err(|e| Problem::internal(&e))?)
}
