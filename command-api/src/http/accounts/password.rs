//! Hashing and verification of passwords.

use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use serde::Deserialize;
use taskfold_domain::limits::{PASSWORD_MAX_BYTES, PASSWORD_MIN_CHARS, PASSWORD_QUEUE};
use taskfold_web::{Code, Problem};
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::{Score, zxcvbn};

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

impl NewPassword {
    /// Refuses passwords that are guessed first (NIST SP 800-63B, 3.1.1.2): common ones, sequences, repetitions, and the
    /// person's own names. There are no other rules on what a password is made of.
    pub fn must_not_be_common(&self, names: &[&str]) -> Result<(), &'static str> {
        let estimate = zxcvbn(&self.0, names);
        let is_one_guess = match estimate.sequence() {
            [only] => !matches!(only.pattern, MatchPattern::BruteForce),
            [] | [_, _, ..] => false,
        };
        if is_one_guess || estimate.score() == Score::Zero {
            return Err("is too common or too easy to guess: choose another one");
        }
        Ok(())
    }

    /// Hashes the password by argon2id (with the default parameters of OWASP), as a PHC string.
    pub fn hash(&self) -> Result<String, argon2::password_hash::Error> {
        Ok(Argon2::default().hash_password(self.0.as_bytes())?.to_string())
    }
}

/// Verified for unknown usernames, so that their response takes as long as that for known ones.
static DUMMY_HASH: LazyLock<String> = LazyLock::new(|| {
    Argon2::default().hash_password(b"nobody has this password").map(|hash| hash.to_string()).unwrap_or_default()
});

/// Hashes a new password of a person with these names when its turn comes, unless it is a common one. `pointer`: its
/// place in the body.
pub async fn hash(
    app: &App,
    password: NewPassword,
    names: [String; 2],
    pointer: &'static str,
) -> Result<String, ApiError> {
    on_blocking_thread(app, move || {
        let common = password.must_not_be_common(&names.each_ref().map(String::as_str));
        common.map_err(|rule| Problem::invalid_field(pointer, rule))?;
        password.hash().map_err(|e| Problem::internal(&e).into())
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

/// Runs the work when its turn comes. Refuses it if too much is waiting: hashes are meant to be slow, and whoever waits
/// for long has gone.
async fn on_blocking_thread<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let place = Arc::clone(&app.hashing.waiting).try_acquire_owned().map_err(|_| {
        let detail = "Too many passwords are being verified: try again in a moment";
        Problem::new(Code::RateLimited, detail).retry_after(1)
    })?;
    let slot = Arc::clone(&app.hashing.running)
        .acquire_owned()
        .await
        .map_err(|_| Problem::new(Code::Unavailable, "The server is shutting down"))?;
    // The thread holds the slots: it goes on when the client has gone.
    let working = tokio::task::spawn_blocking(move || {
        let _slots = (place, slot);
        work()
    });
    Ok(working.await.map_err(|e| Problem::internal(&e))?)
}

/// Slots for password hashes, each of which is meant to cost tens of MiB and milliseconds.
pub struct HashingSlots {
    running: Arc<Semaphore>,
    /// Including the running ones.
    waiting: Arc<Semaphore>,
}

impl HashingSlots {
    pub fn new(cores: usize) -> Self {
        let waiting = Arc::new(Semaphore::new(cores + PASSWORD_QUEUE));
        Self { running: Arc::new(Semaphore::new(cores)), waiting }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(password: &str) -> bool {
        let password = NewPassword::try_from(password.to_owned()).expect("long enough");
        password.must_not_be_common(&["ada-lovelace", "Ada Lovelace"]).is_err()
    }

    #[test]
    fn common_passwords_are_refused_and_no_composition_is_demanded() {
        for common in ["1234567890", "password123", "qwertyuiop", "aaaaaaaaaaaa", "ada-lovelace", "abcdefghij"] {
            assert!(is_refused(common), "{common}");
        }
        for good in ["correct horse battery", "alle meine entchen", "0451-9927-1188", "ein langer satz genügt"] {
            assert!(!is_refused(good), "{good}");
        }
    }
}
