//! EdDSA tokens (RFC 8037): access tokens for requests, tickets for `EventSource` URLs, which cannot send headers.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use axum::extract::{FromRef, FromRequestParts};
use http::header::AUTHORIZATION;
use http::request::Parts;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::UserId;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use uuid::Uuid;

use crate::clock;
use crate::headers;
use crate::problem::{Code, Problem};

pub const ACCESS_TOKEN_SECONDS: i64 = 900;
pub const TICKET_SECONDS: i64 = 60;
const ISSUER: &str = "taskfold";

/// What a token is good for: its audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Requests,
    Streams,
}

impl Purpose {
    fn audience(self) -> &'static str {
        match self {
            Self::Requests => "taskfold",
            Self::Streams => "taskfold-streams",
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    /// The session; a ticket carries that of the token it was bought with.
    sid: Uuid,
    iat: i64,
    exp: i64,
}

/// A key that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("signing key {kid}: {problem}")]
pub struct KeyError {
    kid: String,
    problem: String,
}

impl KeyError {
    fn new(kid: &str, problem: &dyn std::fmt::Display) -> Self {
        Self { kid: kid.to_owned(), problem: problem.to_string() }
    }
}

/// Makes tokens.
#[derive(Clone)]
pub struct Signer {
    kid: String,
    key: EncodingKey,
}

impl Signer {
    /// `private_pem`: an Ed25519 key in PKCS#8 PEM.
    pub fn new(kid: String, private_pem: &str) -> Result<Self, KeyError> {
        let key = EncodingKey::from_ed_pem(private_pem.as_bytes()).map_err(|e| KeyError::new(&kid, &e))?;
        Ok(Self { kid, key })
    }

    pub fn sign(&self, purpose: Purpose, user: UserId, session: Uuid) -> Result<String, KeyError> {
        let iat = clock::now().utc().timestamp();
        let lives = match purpose {
            Purpose::Requests => ACCESS_TOKEN_SECONDS,
            Purpose::Streams => TICKET_SECONDS,
        };
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: purpose.audience().to_owned(),
            sub: user.0,
            sid: session,
            iat,
            exp: iat + lives,
        };
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|e| KeyError::new(&self.kid, &e))
    }
}

/// Checks tokens against the keys known now; the program replaces them as they rotate.
#[derive(Clone, Default)]
pub struct Verifier {
    keys: Arc<RwLock<HashMap<String, (String, DecodingKey)>>>,
}

impl Verifier {
    /// Takes these keys (kid, public key in PEM) in place of all others.
    pub fn replace(&self, public_keys: Vec<(String, String)>) -> Result<(), KeyError> {
        let keys = public_keys
            .into_iter()
            .map(|(kid, pem)| {
                let key = DecodingKey::from_ed_pem(pem.as_bytes()).map_err(|e| KeyError::new(&kid, &e))?;
                Ok((kid, (pem, key)))
            })
            .collect::<Result<_, KeyError>>()?;
        *self.keys.write().unwrap_or_else(std::sync::PoisonError::into_inner) = keys;
        Ok(())
    }

    /// The public keys (kid, PEM), for the JWKS.
    pub fn public_keys(&self) -> Vec<(String, String)> {
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        keys.iter().map(|(kid, (pem, _))| (kid.clone(), pem.clone())).collect()
    }

    pub fn verify(&self, purpose: Purpose, token: &str) -> Result<Caller, Rejected> {
        self.verify_within(purpose, token, 0)
    }

    /// A ticket that may still be used for as long as a fresh access token: a browser plays a video with one address and many
    /// requests, which go on long after the first minute.
    pub fn verify_held_ticket(&self, ticket: &str) -> Result<Caller, Rejected> {
        self.verify_within(Purpose::Streams, ticket, (ACCESS_TOKEN_SECONDS - TICKET_SECONDS).unsigned_abs())
    }

    fn verify_within(&self, purpose: Purpose, token: &str, grace_seconds: u64) -> Result<Caller, Rejected> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Rejected::Invalid)?;
        let kid = header.kid.ok_or(Rejected::Invalid)?;
        let key = {
            let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            keys.get(&kid).map(|(_, key)| key.clone()).ok_or(Rejected::Invalid)?
        };
        // The algorithm is ours to say, never the token's: `alg: none` and key confusion end here.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[purpose.audience()]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = 2 + grace_seconds;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|e| match e.kind() {
            jsonwebtoken::errors::ErrorKind::ExpiredSignature => Rejected::Expired,
            _ => Rejected::Invalid,
        })?;
        Ok(Caller { user_id: UserId(claims.claims.sub), session_id: claims.claims.sid, expires_at: claims.claims.exp })
    }
}

/// Why a token was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    Invalid,
    Expired,
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        Self::new(
            Code::Unauthenticated,
            match rejected {
                Rejected::Invalid => "The token is not one of ours",
                Rejected::Expired => "The token has expired: refresh the session",
            },
        )
    }
}

/// Who asks: no handler that needs one is reached without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub user_id: UserId,
    pub session_id: Uuid,
    /// When the token ends, in seconds since 1970.
    pub expires_at: i64,
}

/// The token of `Authorization: Bearer <token>`, if there is one.
pub fn bearer(headers: &http::HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(text) = headers::one(headers, AUTHORIZATION.as_str())? else { return Ok(None) };
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Problem::new(Code::Unauthenticated, "Send `Authorization: Bearer <access token>`")),
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)?
            .ok_or_else(|| Problem::new(Code::Unauthenticated, "Send `Authorization: Bearer <access token>`"))?;
        Ok(Verifier::from_ref(state).verify(Purpose::Requests, token)?)
    }
}

/// The scheme `bearer` for the documents.
pub fn security_scheme() -> SecurityScheme {
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build())
}
