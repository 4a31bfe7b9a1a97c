use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use futures::future::BoxFuture;
use jsonwebtoken::{DecodingKey, dangerous};
use moka::future::Cache;
use serde::Deserialize;
use taskfold_event_log::{clock, metrics};
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::caller::{Caller, Means};
use super::claims::{Claims, ISSUER, Purpose};
use super::signer::KeyError;
use super::{ACCESS_TOKEN_SECONDS, API_TOKEN_PREFIX, Rejected, TICKET_SECONDS, jws};

/// How much longer than the ticket what it opened may stay: as long as with a fresh access token.
const TICKET_GRACE_SECONDS: u64 = (ACCESS_TOKEN_SECONDS - TICKET_SECONDS).unsigned_abs();
/// How often an open stream asks whether its API token is still there.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// Between two look-ups of keys that are not known.
const LOOKUPS_APART: Duration = Duration::from_secs(1);
/// Tokens whose signature is not looked at again: that costs more than the rest of a small request.
const SEEN: u64 = 20_000;

#[derive(Deserialize)]
struct Iss {
    iss: String,
}

/// A ticket for streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub id: Uuid,
    /// In seconds since 1970.
    pub expires_at: i64,
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

/// Where the keys of sessions' tokens are kept.
pub trait KeySource: Send + Sync + 'static {
    /// All public keys (kid, public key in PEM).
    fn public_keys(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, Rejected>>;
}

/// Checks tokens: those of sessions against the keys known now, which the program replaces as they rotate. A key that is not
/// known is looked up before its token is refused: another instance may have made it just now.
#[derive(Clone)]
pub struct Verifier {
    keys: Arc<RwLock<HashMap<String, (String, DecodingKey)>>>,
    key_source: Option<Arc<dyn KeySource>>,
    /// When the last look-up began. Held during one: who misses a key meanwhile waits for it.
    looked_up: Arc<Mutex<Option<Instant>>>,
    /// What access tokens said whose signature was right.
    seen: Arc<Cache<String, Claims>>,
    api_tokens: Option<Arc<dyn ApiTokens>>,
    outside: Option<Arc<dyn OutsideIssuer>>,
}

impl Default for Verifier {
    /// Without any key.
    fn default() -> Self {
        Self {
            keys: Arc::default(),
            key_source: None,
            looked_up: Arc::default(),
            seen: Arc::new(Cache::new(SEEN)),
            api_tokens: None,
            outside: None,
        }
    }
}

impl Verifier {
    #[must_use]
    pub fn with_api_tokens(self, api_tokens: Arc<dyn ApiTokens>) -> Self {
        Self { api_tokens: Some(api_tokens), ..self }
    }

    #[must_use]
    pub fn with_key_source(self, source: Arc<dyn KeySource>) -> Self {
        Self { key_source: Some(source), ..self }
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
        match (self.key_of(token).await?, &self.outside) {
            // Only while the key is known.
            (Some(key), _) => Ok(Caller::of_session(&self.seen_claims(&key, token).await?)),
            (None, Some(outside)) => outside.caller(token).await,
            (None, None) => Err(Rejected::Invalid),
        }
    }

    async fn seen_claims(&self, key: &DecodingKey, token: &str) -> Result<Claims, Rejected> {
        let seen = self.seen.get(token).await;
        metrics::cache_looked_up("session_tokens", seen.is_some());
        if let Some(claims) = seen {
            return claims.still_good();
        }
        let claims = Claims::checked(key, Purpose::Requests, token, 0)?;
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
        let key = self.key_of(ticket).await?.ok_or(Rejected::Invalid)?;
        let claims = Claims::checked(&key, Purpose::Streams, ticket, grace_seconds)?;
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
    async fn key_of(&self, token: &str) -> Result<Option<DecodingKey>, Rejected> {
        let Some(kid) = jws::header(token)?.kid else { return Ok(None) };
        if let Some(key) = self.known(&kid) {
            return Ok(Some(key));
        }
        // Not believed, only compared: the token of another issuer is no reason to look.
        let ours = dangerous::insecure_decode_claims::<Iss>(token).is_ok_and(|claims| claims.iss == ISSUER);
        match &self.key_source {
            Some(source) if ours => self.looked_up(&kid, &**source).await,
            _ => Ok(None),
        }
    }

    fn known(&self, kid: &str) -> Option<DecodingKey> {
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        keys.get(kid).map(|(_, key)| key.clone())
    }

    /// One look for all who ask at once, and one a second: tokens with made-up key ids wait, and do not make us a burden.
    async fn looked_up(&self, kid: &str, source: &dyn KeySource) -> Result<Option<DecodingKey>, Rejected> {
        let asked = Instant::now();
        let mut last = self.looked_up.lock().await;
        if let Some(at) = *last
            && at < asked
        {
            tokio::time::sleep_until(at + LOOKUPS_APART).await;
        }
        // Another one who waited may have looked since.
        if last.is_none_or(|at| at < asked) && self.known(kid).is_none() {
            *last = Some(Instant::now());
            self.replace(source.public_keys().await?).map_err(|error| {
                tracing::warn!(%error, "the public keys cannot be read");
                Rejected::Unavailable
            })?;
        }
        Ok(self.known(kid))
    }
}

#[cfg(test)]
mod tests;
