//! Verification of tokens.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use futures::future::BoxFuture;
use jsonwebtoken::{DecodingKey, dangerous};
use moka::future::Cache;
use serde::Deserialize;
use taskfold_domain::ids::UserId;
use taskfold_domain::limits::{ACCESS_TOKEN_SECONDS, TICKET_SECONDS};
use taskfold_event_log::{Clock, metrics};
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::caller::{Caller, Means};
use super::claims::{Claims, ISSUER, Purpose};
use super::ended_authority::EndedAuthority;
use super::signer::KeyError;
use super::{API_TOKEN_PREFIX, Rejected, jws};

/// Time for which a stream may outlive its ticket: it may last as long as with a new access token.
const TICKET_GRACE_SECONDS: u64 = (ACCESS_TOKEN_SECONDS - TICKET_SECONDS).unsigned_abs();
/// Interval at which an open stream checks that its API token is not revoked.
const REVOCATION_INTERVAL: Duration = Duration::from_secs(2);
/// Minimum interval of the look-ups of unknown keys.
const MIN_LOOKUP_INTERVAL: Duration = Duration::from_secs(1);
/// Number of tokens in the cache. The verification of a signature costs more than the rest of a small request.
const MAX_CACHED_TOKENS: u64 = 20_000;

#[derive(Deserialize)]
struct Iss {
    iss: String,
}

/// A ticket for streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub id: Uuid,
    /// Seconds since 1970.
    pub expires_at: i64,
}

/// Key by which an API token is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKey<'a> {
    /// The token itself.
    Secret(&'a str),
    /// Its id, from a ticket.
    Id(Uuid),
}

/// API tokens in the database.
pub trait ApiTokens: Send + Sync + 'static {
    /// The owner of a token. The result may be a few seconds old.
    fn caller<'a>(&'a self, key: TokenKey<'a>) -> BoxFuture<'a, Result<Caller, Rejected>>;
}

/// An external issuer of tokens, with an account for each of its subjects.
pub trait OutsideIssuer: Send + Sync + 'static {
    fn caller<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, Rejected>>;
}

/// Source of the keys of access tokens.
pub trait KeySource: Send + Sync + 'static {
    /// All public keys (kid, public key in PEM).
    fn public_keys(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, Rejected>>;
}

/// Verifies tokens. Access tokens are verified by the known keys, which the program replaces when they rotate. An
/// unknown key is looked up before its token is rejected, because another instance may just have created it.
#[derive(Clone)]
pub struct Verifier {
    keys: Arc<RwLock<HashMap<String, (String, DecodingKey)>>>,
    key_source: Option<Arc<dyn KeySource>>,
    /// Start of the last look-up. Locked during a look-up, so that other requests with unknown keys wait for it.
    looked_up: Arc<Mutex<Option<Instant>>>,
    /// Claims of access tokens with valid signatures.
    verified: Arc<Cache<String, Claims>>,
    api_tokens: Option<Arc<dyn ApiTokens>>,
    outside: Option<Arc<dyn OutsideIssuer>>,
    ended: EndedAuthority,
    clock: Clock,
}

impl Verifier {
    /// Verifier without keys.
    pub fn new(clock: Clock) -> Self {
        Self {
            keys: Arc::default(),
            key_source: None,
            looked_up: Arc::default(),
            verified: Arc::new(Cache::new(MAX_CACHED_TOKENS)),
            api_tokens: None,
            outside: None,
            ended: EndedAuthority::default(),
            clock,
        }
    }

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

    /// Sessions and accounts whose tokens are refused, to be kept current by the program.
    pub fn ended_authority(&self) -> &EndedAuthority {
        &self.ended
    }

    /// Replaces all keys (kid, public key in PEM).
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

    /// Public keys (kid, PEM), for the JWKS.
    pub fn public_keys(&self) -> Vec<(String, String)> {
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        keys.iter().map(|(kid, (pem, _))| (kid.clone(), pem.clone())).collect()
    }

    /// The caller with this bearer token.
    pub async fn verify(&self, token: &str) -> Result<Caller, Rejected> {
        if token.starts_with(API_TOKEN_PREFIX) {
            return self.unless_revoked(self.api_token(TokenKey::Secret(token)).await?);
        }
        let caller = match (self.key_of(token).await?, &self.outside) {
            // Cached claims are valid only while their key is known.
            (Some(key), _) => Caller::of_session(&self.cached_claims(&key, token).await?),
            (None, Some(outside)) => outside.caller(token).await?,
            (None, None) => return Err(Rejected::Invalid),
        };
        self.unless_revoked(caller)
    }

    fn unless_revoked(&self, caller: Caller) -> Result<Caller, Rejected> {
        if self.ended.has(caller.user_id.0, caller.means) { Err(Rejected::Ended) } else { Ok(caller) }
    }

    async fn cached_claims(&self, key: &DecodingKey, token: &str) -> Result<Claims, Rejected> {
        let cached = self.verified.get(token).await;
        metrics::cache_looked_up("session_tokens", cached.is_some());
        if let Some(claims) = cached {
            return claims.unless_expired(0, &self.clock);
        }
        let claims = Claims::verified(key, Purpose::Requests, token)?.unless_expired(0, &self.clock)?;
        self.verified.insert(token.to_owned(), claims.clone()).await;
        Ok(claims)
    }

    /// The caller who opens a stream with this ticket within a minute. The stream may last as long as with a new access
    /// token, and no longer than the token with which the ticket was created. The caller of this function ensures that
    /// a ticket is used only once.
    pub async fn verify_ticket(&self, ticket: &str) -> Result<(Caller, Ticket), Rejected> {
        self.ticket_within(ticket, 0).await
    }

    /// The same for a ticket that can be used repeatedly, for as long as a new access token: a browser plays a video
    /// with many requests to the same URL, long after the first minute.
    pub async fn verify_held_ticket(&self, ticket: &str) -> Result<Caller, Rejected> {
        Ok(self.ticket_within(ticket, TICKET_GRACE_SECONDS).await?.0)
    }

    async fn ticket_within(&self, ticket: &str, grace_seconds: u64) -> Result<(Caller, Ticket), Rejected> {
        let key = self.key_of(ticket).await?.ok_or(Rejected::Invalid)?;
        let claims = Claims::verified(&key, Purpose::Streams, ticket)?.unless_expired(grace_seconds, &self.clock)?;
        let caller = match claims.tid {
            // The permissions of the token, and its revocation, are not in the ticket.
            Some(token) => self.api_token(TokenKey::Id(token)).await?,
            None if claims.until.is_some() => Caller { means: Means::Outside, ..Caller::of_session(&claims) },
            None => Caller::of_session(&claims),
        };
        let valid_until =
            claims.exp.saturating_add_unsigned(TICKET_GRACE_SECONDS).min(claims.until.unwrap_or(i64::MAX));
        if valid_until <= self.clock.unix_seconds() {
            return Err(Rejected::Expired);
        }
        self.unless_revoked(caller)?;
        let ticket = Ticket { id: claims.jti.ok_or(Rejected::Invalid)?, expires_at: claims.exp };
        Ok((Caller { expires_at: valid_until, ..caller }, ticket))
    }

    /// Completes when the authority behind a user's token ends before the token expires: when the session ends, the API
    /// token is revoked or the account is disabled.
    pub async fn revoked(&self, user: UserId, means: Means) {
        tokio::select! {
            () = self.ended.happens(user.0, means) => {}
            () = self.api_token_revoked(means) => {}
        }
    }

    async fn api_token_revoked(&self, means: Means) {
        let Means::ApiToken(token) = means else { return std::future::pending().await };
        loop {
            tokio::time::sleep(REVOCATION_INTERVAL).await;
            if matches!(
                self.api_token(TokenKey::Id(token)).await,
                Err(Rejected::Invalid | Rejected::Expired | Rejected::Ended)
            ) {
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

    /// Our key that the token names, if it is one of ours.
    async fn key_of(&self, token: &str) -> Result<Option<DecodingKey>, Rejected> {
        let Some(kid) = jws::header(token)?.kid else { return Ok(None) };
        if let Some(key) = self.known(&kid) {
            return Ok(Some(key));
        }
        // Not verified, only compared: tokens of other issuers cause no look-up.
        let ours = dangerous::insecure_decode_claims::<Iss>(token).is_ok_and(|claims| claims.iss == ISSUER);
        match &self.key_source {
            Some(source) if ours => self.look_up(&kid, &**source).await,
            Some(_) | None => Ok(None),
        }
    }

    fn known(&self, kid: &str) -> Option<DecodingKey> {
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        keys.get(kid).map(|(_, key)| key.clone())
    }

    /// Looks up a key: once for all requests at the same time, and at most once a second, so that tokens with invented
    /// key ids cause no load.
    async fn look_up(&self, kid: &str, source: &dyn KeySource) -> Result<Option<DecodingKey>, Rejected> {
        let started = Instant::now();
        let mut last = self.looked_up.lock().await;
        if let Some(at) = *last
            && at < started
        {
            tokio::time::sleep_until(at + MIN_LOOKUP_INTERVAL).await;
        }
        // Another request may have looked it up in the meantime.
        if last.is_none_or(|at| at < started) && self.known(kid).is_none() {
            *last = Some(Instant::now());
            self.replace(source.public_keys().await?).map_err(|error| {
                tracing::warn!(%error, "the public keys of access tokens cannot be read");
                Rejected::Unavailable
            })?;
        }
        Ok(self.known(kid))
    }
}

#[cfg(test)]
mod tests;
