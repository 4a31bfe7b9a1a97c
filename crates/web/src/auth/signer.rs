//! Creation of tokens.

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

/// Creates tokens.
#[derive(Clone)]
pub struct Signer {
    kid: String,
    key: EncodingKey,
    clock: Clock,
}

impl Signer {
    /// `private_pem`: an Ed25519 key in PKCS#8 PEM.
    pub fn new(kid: String, private_pem: &str, clock: Clock) -> Result<Self, KeyError> {
        let key = EncodingKey::from_ed_pem(private_pem.as_bytes()).map_err(|e| KeyError::new(&kid, &e))?;
        Ok(Self { kid, key, clock })
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
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.key).map_err(|e| KeyError::new(&self.kid, &e))
    }
}
