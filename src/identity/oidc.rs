//! An external OIDC issuer: its keys, its tokens, and accounts for its subjects.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jsonwebtoken::dangerous;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::{Map, Value};
use sqlx::PgPool;
use taskfold_event_log::{Clock, Worker};
use taskfold_web::auth::{Means, OutsideIssuer, Rejected, jws};
use taskfold_web::{Caller, Scope};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::accounts::Accounts;
use super::key_set::KeySet;
use crate::config::{KeysAt, Oidc};

/// Interval of fetching the keys, within which a key that the issuer removed becomes invalid.
const REFRESH: Duration = Duration::from_secs(600);
/// Minimum interval of fetches, so that tokens with made-up key ids put no load on the issuer.
const FETCH_APART: Duration = Duration::from_secs(10);
/// Limit of a fetch.
const FETCH_LIMIT: Duration = Duration::from_secs(5);
/// Maximum size of a document of the issuer.
const DOCUMENT_BYTES: usize = 1024 * 1024;
/// Tolerance of `exp`, `nbf` and `iat` for differences of clocks.
const LEEWAY_SECONDS: f64 = 60.0;
/// OpenID Connect Core, 2: `sub` has at most 255 characters.
const SUBJECT_BYTES: usize = 255;

/// An external OIDC issuer.
pub struct Issuer {
    settings: Oidc,
    client: Client,
    keys: RwLock<Arc<KeySet>>,
    /// Start of the last fetch. Locked during a fetch, so that others who miss a key wait for it.
    fetching: Mutex<Option<Instant>>,
    accounts: Accounts,
    clock: Clock,
}

#[derive(Deserialize)]
struct Iss {
    iss: String,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    pub fn new(settings: Oidc, pool: PgPool, clock: Clock) -> anyhow::Result<Self> {
        let client =
            Client::builder().timeout(FETCH_LIMIT).build().context("creating the HTTP client for the OIDC issuer")?;
        let accounts = Accounts::new(pool, &settings.issuer);
        Ok(Self { settings, client, keys: RwLock::default(), fetching: Mutex::default(), accounts, clock })
    }

    /// Fetches the keys periodically until `shutdown`. While the issuer is unavailable, the known keys remain valid.
    pub async fn keep_current(self: Arc<Self>, shutdown: CancellationToken) -> anyhow::Result<()> {
        loop {
            let round = async {
                self.refresh(|_| false).await;
                let pause = if self.keys().len() == 0 { FETCH_APART } else { REFRESH };
                tokio::time::sleep(pause).await;
            };
            if shutdown.run_until_cancelled(round).await.is_none() {
                return Ok(());
            }
        }
    }

    fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fetches the keys, unless the last fetch was recent or the keys are sufficient.
    async fn refresh(&self, sufficient: impl Fn(&KeySet) -> bool) {
        let mut last = self.fetching.lock().await;
        if sufficient(&self.keys()) || last.is_some_and(|at| at.elapsed() < FETCH_APART) {
            return;
        }
        *last = Some(Instant::now());
        match self.fetch().await {
            Ok(keys) => {
                Worker::IssuerKeys.succeeded();
                tracing::info!(keys = keys.len(), issuer = self.settings.issuer, "fetched the OIDC issuer's keys");
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the OIDC issuer's keys could not be fetched");
            }
        }
    }

    async fn fetch(&self) -> anyhow::Result<KeySet> {
        let jwks_url = match &self.settings.keys {
            KeysAt::Jwks(url) => url.clone(),
            KeysAt::Discovery(url) => {
                let discovery: Discovery =
                    serde_json::from_value(self.document(url).await?).context("reading the discovery document")?;
                // Required by OpenID Connect Discovery, 4.3.
                anyhow::ensure!(
                    discovery.issuer == self.settings.issuer,
                    "the discovery document names another issuer, {:?}",
                    discovery.issuer
                );
                discovery.jwks_uri.parse().context("reading the address of the keys")?
            }
        };
        let keys = KeySet::read(&self.document(&jwks_url).await?);
        // Known keys are kept while the issuer has none, which is a failure of the issuer.
        anyhow::ensure!(keys.len() > 0, "there is no RS256, ES256 or EdDSA key at {jwks_url}");
        Ok(keys)
    }

    async fn document(&self, url: &Url) -> anyhow::Result<Value> {
        let mut response = self.client.get(url.clone()).send().await?.error_for_status()?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            anyhow::ensure!(bytes.len() + chunk.len() <= DOCUMENT_BYTES, "{url} is too large");
            bytes.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&bytes).with_context(|| format!("reading {url}"))
    }

    async fn verify(&self, token: &str) -> Result<Caller, Rejected> {
        let header = jws::header(token)?;
        // Only compared and not trusted yet: a token of another issuer is no reason to fetch keys.
        if dangerous::insecure_decode_claims::<Iss>(token)?.iss != self.settings.issuer {
            return Err(Rejected::Invalid);
        }
        let kid = header.kid.as_deref();
        if self.keys().find(kid).is_none() {
            self.refresh(|keys| keys.find(kid).is_some()).await;
        }
        let claims = {
            let keys = self.keys();
            let claims = keys.find(kid).ok_or(Rejected::Invalid)?.verified(&header.alg, token)?;
            self.judge(&claims, self.clock.unix_seconds() as f64)?;
            claims
        };
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        if !(1..=SUBJECT_BYTES).contains(&subject.len()) {
            return Err(Rejected::Invalid);
        }
        // RFC 7519: a number, whole or not.
        let expires_at = claims.get("exp").and_then(Value::as_f64).ok_or(Rejected::Invalid)? as i64;
        let user_id = self.accounts.of(subject, &claims).await.map_err(|error| {
            tracing::warn!(
                error = format!("{error:#}"),
                "the account of a subject of the OIDC issuer could not be opened"
            );
            Rejected::Unavailable
        })?;
        // OpenID Connect Core, 2; without it, the issuer authenticated the person no later than it issued the token.
        let authenticated_at =
            claims.get("auth_time").or_else(|| claims.get("iat")).and_then(Value::as_f64).map(|time| time as i64);
        Ok(Caller { user_id, means: Means::Outside, scope: Scope::FULL, expires_at, authenticated_at })
    }

    /// Checks issuer, audience and times (RFC 7519, 4.1).
    fn judge(&self, claims: &Map<String, Value>, now: f64) -> Result<(), Rejected> {
        // A number, whole or not; `nbf` and `iat` may be left out.
        let time = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(Rejected::Invalid),
        };
        let is = |value: &Value, expected: &str| value.as_str() == Some(expected);
        let audience = claims.get("aud").is_some_and(|aud| match aud {
            Value::Array(all) => all.iter().any(|one| is(one, &self.settings.audience)),
            one => is(one, &self.settings.audience),
        });
        let issuer = claims.get("iss").is_some_and(|iss| is(iss, &self.settings.issuer));
        let (exp, nbf, iat) = (time("exp")?.ok_or(Rejected::Invalid)?, time("nbf")?, time("iat")?);
        let begun = [nbf, iat].into_iter().flatten().all(|at| at <= now + LEEWAY_SECONDS);
        if !audience || !issuer || !begun {
            return Err(Rejected::Invalid);
        }
        if exp < now - LEEWAY_SECONDS { Err(Rejected::Expired) } else { Ok(()) }
    }
}

impl OutsideIssuer for Issuer {
    fn caller<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, Rejected>> {
        self.verify(token).boxed()
    }
}
