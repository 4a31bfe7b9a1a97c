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
use taskfold_event_log::Worker;
use taskfold_event_log::clock;
use taskfold_web::auth::{Means, OutsideIssuer, Rejected, jws};
use taskfold_web::{Caller, Scope};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::accounts::Accounts;
use super::key_set::KeySet;
use crate::config::{KeysAt, Oidc};

/// How soon a key that the issuer takes back is worth nothing here.
const REFRESH: Duration = Duration::from_secs(600);
/// Between two fetches, whoever asks for them: tokens with made-up key ids must not make us a burden to the issuer.
const FETCH_APART: Duration = Duration::from_secs(10);
const FETCH_LIMIT: Duration = Duration::from_secs(5);
/// Of a document of the issuer.
const DOCUMENT_BYTES: usize = 1024 * 1024;
/// Clocks differ: of `exp`, `nbf` and `iat`.
const LEEWAY_SECONDS: f64 = 60.0;
/// OpenID Connect Core, 2: `sub` has at most 255 characters.
const SUBJECT_BYTES: usize = 255;

/// An outside OIDC issuer: its keys, kept current, and accounts for its subjects.
pub struct Issuer {
    settings: Oidc,
    client: Client,
    keys: RwLock<Arc<KeySet>>,
    /// When the last fetch began. Held during a fetch: those who miss a key meanwhile wait for this one.
    fetching: Mutex<Option<Instant>>,
    accounts: Accounts,
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
    pub fn new(settings: Oidc, pool: PgPool) -> anyhow::Result<Self> {
        let client = Client::builder().timeout(FETCH_LIMIT).build().context("making the client of the OIDC issuer")?;
        let accounts = Accounts::new(pool, &settings.issuer);
        Ok(Self { settings, client, keys: RwLock::default(), fetching: Mutex::default(), accounts })
    }

    /// Fetches the keys now and again until `shutdown`. With the issuer away, the keys known so far go on being good.
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

    /// One fetch, unless the last was just now, or has brought what is needed.
    async fn refresh(&self, enough: impl Fn(&KeySet) -> bool) {
        let mut last = self.fetching.lock().await;
        if enough(&self.keys()) || last.is_some_and(|at| at.elapsed() < FETCH_APART) {
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
                // OpenID Connect Discovery, 4.3: else it speaks for somebody else.
                anyhow::ensure!(
                    discovery.issuer == self.settings.issuer,
                    "the discovery document is of the issuer {:?}",
                    discovery.issuer
                );
                discovery.jwks_uri.parse().context("reading the address of the keys")?
            }
        };
        let keys = KeySet::read(&self.document(&jwks_url).await?);
        // An issuer without a key is one that is being repaired.
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
        // Not believed, only compared: a token of nobody we know is no reason to fetch anything.
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
            self.judge(&claims, clock::now().utc().timestamp() as f64)?;
            claims
        };
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        if !(1..=SUBJECT_BYTES).contains(&subject.len()) {
            return Err(Rejected::Invalid);
        }
        // RFC 7519: a number, whole or not.
        let expires_at = claims.get("exp").and_then(Value::as_f64).ok_or(Rejected::Invalid)? as i64;
        let user_id = self.accounts.of(subject, &claims).await.map_err(|error| {
            tracing::warn!(error = format!("{error:#}"), "no account for a subject of the OIDC issuer");
            Rejected::Unavailable
        })?;
        Ok(Caller { user_id, means: Means::Outside, scope: Scope::FULL, expires_at })
    }

    /// The claims of RFC 7519, 4.1: from this issuer, for this audience, now.
    fn judge(&self, claims: &Map<String, Value>, now: f64) -> Result<(), Rejected> {
        // A number, whole or not; `nbf` and `iat` may be left out.
        let time = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(Rejected::Invalid),
        };
        let is = |value: &Value, wanted: &str| value.as_str() == Some(wanted);
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
