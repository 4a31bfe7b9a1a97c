//! Who asks. Our own tokens are EdDSA (RFC 8037): access tokens for requests, tickets for `EventSource` URLs, which cannot
//! send headers. API tokens and those of an outside issuer are looked up by what the program brings along.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::request::Parts;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::future::Cache;
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::{ProjectId, UserId};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use uuid::Uuid;

use crate::clock;
use crate::headers;
use crate::problem::{Code, Problem};
use crate::scope::Scope;

/// With what an API token begins, so that people and secret scanners know one when they see it.
pub const API_TOKEN_PREFIX: &str = "tfp_";
pub const ACCESS_TOKEN_SECONDS: i64 = 900;
pub const TICKET_SECONDS: i64 = 60;
/// How much longer than the ticket what it opened may stay: as long as with a fresh access token.
const TICKET_GRACE_SECONDS: u64 = (ACCESS_TOKEN_SECONDS - TICKET_SECONDS).unsigned_abs();
const ISSUER: &str = "taskfold";
/// How often an open stream asks whether its API token is still there.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// Tokens whose signature is not looked at again: that costs more than the rest of a small request.
const SEEN: u64 = 20_000;
/// Against clocks that go a little differently.
const LEEWAY_SECONDS: u64 = 2;

/// What a token is good for: its audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
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

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    /// The session; a ticket carries that of the token it was bought with.
    sid: Uuid,
    /// Of a ticket: its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<Uuid>,
    /// Of a ticket that was bought with an API token: which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tid: Option<Uuid>,
    /// Of a ticket that was bought with another token than a session's: when that one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    iat: i64,
    exp: i64,
}

impl Claims {
    fn new(purpose: Purpose, user: UserId, session: Uuid) -> Self {
        let iat = clock::now().utc().timestamp();
        let lives = match purpose {
            Purpose::Requests => ACCESS_TOKEN_SECONDS,
            Purpose::Streams => TICKET_SECONDS,
        };
        Self {
            iss: ISSUER.to_owned(),
            aud: purpose.audience().to_owned(),
            sub: user.0,
            sid: session,
            jti: None,
            tid: None,
            until: None,
            iat,
            exp: iat + lives,
        }
    }

    fn still_good(self) -> Result<Self, Rejected> {
        let now = clock::now().utc().timestamp();
        if self.exp.saturating_add_unsigned(LEEWAY_SECONDS) < now { Err(Rejected::Expired) } else { Ok(self) }
    }
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

    /// The access token of a session.
    pub fn access_token(&self, user: UserId, session: Uuid) -> Result<String, KeyError> {
        self.sign(&Claims::new(Purpose::Requests, user, session))
    }

    /// A ticket for streams, which does not outlive what it was bought with.
    pub fn ticket(&self, caller: &Caller) -> Result<String, KeyError> {
        let (session, tid, until) = match caller.means {
            Means::Session(session) => (session, None, None),
            Means::ApiToken(token) => (Uuid::nil(), Some(token), Some(caller.expires_at)),
            Means::Outside => (Uuid::nil(), None, Some(caller.expires_at)),
        };
        let claims = Claims::new(Purpose::Streams, caller.user_id, session);
        let exp = claims.exp.min(until.unwrap_or(i64::MAX));
        self.sign(&Claims { jti: Some(clock::random_id()), tid, until, exp, ..claims })
    }

    fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.key).map_err(|e| KeyError::new(&self.kid, &e))
    }
}

/// By what an API token is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKey<'a> {
    /// The token itself.
    Secret(&'a str),
    /// Its id, as in a ticket.
    Id(Uuid),
}

/// API tokens, which are in a database.
pub trait ApiTokens: Send + Sync + 'static {
    /// Whose token it is, as of the last few seconds.
    fn caller<'a>(&'a self, key: TokenKey<'a>) -> BoxFuture<'a, Result<Caller, Rejected>>;
}

/// An issuer of tokens outside of here, with an account for each of its subjects.
pub trait OutsideIssuer: Send + Sync + 'static {
    fn caller<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, Rejected>>;
}

/// Checks tokens: those of sessions against the keys known now, which the program replaces as they rotate, and without a
/// look anywhere else.
#[derive(Clone)]
pub struct Verifier {
    keys: Arc<RwLock<HashMap<String, (String, DecodingKey)>>>,
    /// What access tokens said whose signature was right.
    seen: Cache<String, Claims>,
    api_tokens: Option<Arc<dyn ApiTokens>>,
    outside: Option<Arc<dyn OutsideIssuer>>,
}

impl Default for Verifier {
    /// Without any key.
    fn default() -> Self {
        Self { keys: Arc::default(), seen: Cache::new(SEEN), api_tokens: None, outside: None }
    }
}

impl Verifier {
    #[must_use]
    pub fn with_api_tokens(self, api_tokens: Arc<dyn ApiTokens>) -> Self {
        Self { api_tokens: Some(api_tokens), ..self }
    }

    #[must_use]
    pub fn with_outside_issuer(self, outside: Arc<dyn OutsideIssuer>) -> Self {
        Self { outside: Some(outside), ..self }
    }

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

    /// Who asks with this bearer token.
    pub async fn verify(&self, token: &str) -> Result<Caller, Rejected> {
        if token.starts_with(API_TOKEN_PREFIX) {
            return self.api_token(TokenKey::Secret(token)).await;
        }
        match (self.key_of(token)?, &self.outside) {
            // Only while the key is known.
            (Some(key), _) => Ok(Caller::of_session(&self.seen_claims(&key, token).await?)),
            (None, Some(outside)) => outside.caller(token).await,
            (None, None) => Err(Rejected::Invalid),
        }
    }

    async fn seen_claims(&self, key: &DecodingKey, token: &str) -> Result<Claims, Rejected> {
        if let Some(claims) = self.seen.get(token).await {
            return claims.still_good();
        }
        let claims = claims(key, Purpose::Requests, token, 0)?;
        self.seen.insert(token.to_owned(), claims.clone()).await;
        Ok(claims)
    }

    /// Who opens a stream with this ticket. It is for opening the door within a minute: the stream may stay as long as with
    /// a fresh access token, and no longer than what the ticket was bought with. That it is used once is for whoever opens.
    pub async fn verify_ticket(&self, ticket: &str) -> Result<(Caller, Ticket), Rejected> {
        self.ticket_within(ticket, 0).await
    }

    /// The same of a ticket that may be used again for as long as a fresh access token: a browser plays a video with one address
    /// and many requests, which go on long after the first minute.
    pub async fn verify_held_ticket(&self, ticket: &str) -> Result<Caller, Rejected> {
        Ok(self.ticket_within(ticket, TICKET_GRACE_SECONDS).await?.0)
    }

    async fn ticket_within(&self, ticket: &str, grace_seconds: u64) -> Result<(Caller, Ticket), Rejected> {
        let key = self.key_of(ticket)?.ok_or(Rejected::Invalid)?;
        let claims = claims(&key, Purpose::Streams, ticket, grace_seconds)?;
        let caller = match claims.tid {
            // What the token may do, and whether it is still there, is not the ticket's to say.
            Some(token) => self.api_token(TokenKey::Id(token)).await?,
            None if claims.until.is_some() => Caller { means: Means::Outside, ..Caller::of_session(&claims) },
            None => Caller::of_session(&claims),
        };
        let stays = claims.exp.saturating_add_unsigned(TICKET_GRACE_SECONDS).min(claims.until.unwrap_or(i64::MAX));
        if stays <= clock::now().utc().timestamp() {
            return Err(Rejected::Expired);
        }
        let ticket = Ticket { id: claims.jti.ok_or(Rejected::Invalid)?, expires_at: claims.exp };
        Ok((Caller { expires_at: stays, ..caller }, ticket))
    }

    /// Ends when the token is revoked before its time. A session's access token is not.
    pub async fn revoked(&self, means: Means) {
        let Means::ApiToken(token) = means else { return std::future::pending().await };
        loop {
            tokio::time::sleep(ASK_AGAIN).await;
            if matches!(self.api_token(TokenKey::Id(token)).await, Err(Rejected::Invalid | Rejected::Expired)) {
                return;
            }
        }
    }

    async fn api_token(&self, key: TokenKey<'_>) -> Result<Caller, Rejected> {
        match &self.api_tokens {
            Some(api_tokens) => api_tokens.caller(key).await,
            None => Err(Rejected::Invalid),
        }
    }

    /// Our key that the token names, if it names one of ours.
    fn key_of(&self, token: &str) -> Result<Option<DecodingKey>, Rejected> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Rejected::Invalid)?;
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(header.kid.and_then(|kid| keys.get(&kid).map(|(_, key)| key.clone())))
    }
}

fn claims(key: &DecodingKey, purpose: Purpose, token: &str, grace_seconds: u64) -> Result<Claims, Rejected> {
    // The algorithm is ours to say, never the token's: `alg: none` and key confusion end here.
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[purpose.audience()]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.leeway = LEEWAY_SECONDS + grace_seconds;
    Ok(jsonwebtoken::decode::<Claims>(token, key, &validation)?.claims)
}

/// A ticket for streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub id: Uuid,
    /// In seconds since 1970.
    pub expires_at: i64,
}

/// Why a token was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    Invalid,
    Expired,
    /// It cannot be said right now.
    Unavailable,
}

impl From<jsonwebtoken::errors::Error> for Rejected {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        match error.kind() {
            jsonwebtoken::errors::ErrorKind::ExpiredSignature => Self::Expired,
            _ => Self::Invalid,
        }
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        let detail = match rejected {
            Rejected::Invalid => "The token is not one that is taken here",
            Rejected::Expired => "The token has expired: refresh the session",
            Rejected::Unavailable => return Self::unavailable("What tokens are checked with"),
        };
        Self::new(Code::Unauthenticated, detail)
    }
}

/// Who asks: no handler that needs one is reached without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub user_id: UserId,
    pub means: Means,
    pub scope: Scope,
    /// When the token ends, in seconds since 1970; the largest number when it does not.
    pub expires_at: i64,
}

/// By what the caller is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Means {
    Session(Uuid),
    ApiToken(Uuid),
    /// A token of the outside issuer.
    Outside,
}

impl Caller {
    fn of_session(claims: &Claims) -> Self {
        Self {
            user_id: UserId(claims.sub),
            means: Means::Session(claims.sid),
            scope: Scope::FULL,
            expires_at: claims.exp,
        }
    }

    /// 403 for those who may only read.
    pub fn must_write(&self) -> Result<(), Problem> {
        match self.scope.writes() {
            true => Ok(()),
            false => Err(Problem::new(Code::Forbidden, "This API token may only read")),
        }
    }

    /// 404 for a project that the token is not for: it does not even tell whether it is there.
    pub fn must_reach(&self, project: ProjectId) -> Result<(), Problem> {
        if self.scope.reaches(project) { Ok(()) } else { Err(Problem::not_found()) }
    }

    /// 403 for an API token: what is asked for is for people.
    pub fn must_be_person(&self) -> Result<(), Problem> {
        match self.means {
            Means::Session(_) | Means::Outside => Ok(()),
            Means::ApiToken(_) => Err(Problem::new(Code::Forbidden, "An API token may not do this: sign in")),
        }
    }
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
        Ok(Verifier::from_ref(state).verify(token).await?)
    }
}

/// The scheme `bearer` for the documents.
pub fn security_scheme() -> SecurityScheme {
    SecurityScheme::Http(
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT, or an API token").build(),
    )
}
