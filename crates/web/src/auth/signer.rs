//! Creation of tokens.

use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use taskfold_domain::ids::UserId;
use taskfold_event_log::Clock;
use uuid::Uuid;

use super::caller::{Caller, Means};
use super::claims::{Claims, Purpose};

/// An invalid key.
#[derive(Debug, thiserror::Error)]
#[error("signing key {kid}: {problem}")]
pub struct KeyError {
    kid: String,
    problem: String,
}

impl KeyError {
    pub(super) fn new(kid: &str, problem: &dyn std::fmt::Display) -> Self {
        Self { kid: kid.to_owned(), problem: problem.to_string() }
    }
}

/// Creates tokens. Clones share the key.
#[derive(Clone)]
pub struct Signer {
    key: Arc<RwLock<Key>>,
    clock: Clock,
}

struct Key {
    kid: String,
    key: EncodingKey,
}

impl Key {
    fn new(kid: String, private_pem: &str) -> Result<Self, KeyError> {
        let key = EncodingKey::from_ed_pem(private_pem.as_bytes()).map_err(|e| KeyError::new(&kid, &e))?;
        Ok(Self { kid, key })
    }
}

impl Signer {
    /// `private_pem`: an Ed25519 key in PKCS#8 PEM.
    pub fn new(kid: String, private_pem: &str, clock: Clock) -> Result<Self, KeyError> {
        Ok(Self { key: Arc::new(RwLock::new(Key::new(kid, private_pem)?)), clock })
    }

    /// Signs with this key from now on.
    pub fn replace(&self, kid: String, private_pem: &str) -> Result<(), KeyError> {
        let key = Key::new(kid, private_pem)?;
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    /// The access token of a session.
    pub fn access_token(&self, user: UserId, session: Uuid) -> Result<String, KeyError> {
        self.sign(&Claims::new(Purpose::Requests, user, session, &self.clock))
    }

    /// A ticket for streams. It expires no later than the token with which it is created.
    pub fn ticket(&self, caller: &Caller) -> Result<String, KeyError> {
        let (session, tid, until) = match caller.means {
            Means::Session(session) => (session, None, None),
            Means::ApiToken(token) => (Uuid::nil(), Some(token), Some(caller.expires_at)),
            Means::Outside => (Uuid::nil(), None, Some(caller.expires_at)),
        };
        let claims = Claims::new(Purpose::Streams, caller.user_id, session, &self.clock);
        let exp = claims.exp.min(until.unwrap_or(i64::MAX));
        self.sign(&Claims { jti: Some(self.clock.random_id()), tid, until, exp, ..claims })
    }

    fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        let Key { kid, key } = &*self.key.read().unwrap_or_else(PoisonError::into_inner);
        let header = Header { kid: Some(kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, key).map_err(|e| KeyError::new(kid, &e))
    }
}
