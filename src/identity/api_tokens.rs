//! API tokens of the database, cached for two seconds.

use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_event_log::{Clock, metrics};
use taskfold_web::auth::{ApiTokens, Means, Rejected, TokenKey};
use taskfold_web::{Access, Caller, Scope};
use uuid::Uuid;

/// Lifetime of a cached token. An open stream checks its token at this interval, so that a revocation takes effect
/// within twice this time.
const VALID_FOR: Duration = Duration::from_secs(2);
/// Tokens in the cache.
const MAX_CACHED: u64 = 10_000;

/// API tokens of the database. Revocations take up to two seconds, expiry is exact.
pub struct StoredTokens {
    pool: PgPool,
    /// Unknown tokens too, so that a client with a revoked token costs no more than others.
    known: Cache<Key, Option<Caller>>,
    clock: Clock,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Hash([u8; 32]),
    Id(Uuid),
}

impl StoredTokens {
    pub fn new(pool: PgPool, clock: Clock) -> Self {
        Self { pool, known: Cache::builder().max_capacity(MAX_CACHED).time_to_live(VALID_FOR).build(), clock }
    }

    async fn look_up(&self, key: &Key) -> anyhow::Result<Option<Caller>> {
        let (hash, id) = match key {
            Key::Hash(hash) => (Some(hash.as_slice()), None),
            Key::Id(id) => (None, Some(*id)),
        };
        let looking = sqlx::query!(
            r#"
            SELECT token_id AS "token!", user_id AS "user!", access AS "access!", project_id AS project,
                   floor(extract(epoch FROM expires_at))::bigint AS expires_at
            FROM taskfold_use_api_token_v2($1, $2)
            "#,
            hash,
            id,
        );
        let Some(row) = within(REQUEST, looking.fetch_optional(&self.pool)).await? else { return Ok(None) };
        let access = Access::of_word(&row.access)
            .with_context(|| format!("api_tokens.access of {}: {}", row.token, row.access))?;
        Ok(Some(Caller {
            user_id: UserId(row.user),
            means: Means::ApiToken(row.token),
            scope: Scope { access, project: row.project.map(ProjectId) },
            expires_at: row.expires_at.unwrap_or(i64::MAX),
            authenticated_at: None,
        }))
    }
}

impl ApiTokens for StoredTokens {
    fn caller<'a>(&'a self, key: TokenKey<'a>) -> BoxFuture<'a, Result<Caller, Rejected>> {
        async move {
            let key = match key {
                TokenKey::Secret(secret) => Key::Hash(Sha256::digest(secret.as_bytes()).into()),
                TokenKey::Id(id) => Key::Id(id),
            };
            // Concurrent requests share one lookup.
            let known =
                self.known.entry_by_ref(&key).or_try_insert_with(self.look_up(&key)).await.map_err(|error| {
                    tracing::warn!(error = format!("{error:#}"), "an API token could not be looked up");
                    Rejected::Unavailable
                })?;
            metrics::cache_looked_up("api_tokens", !known.is_fresh());
            let caller = known.into_value().ok_or(Rejected::Invalid)?;
            if caller.expires_at <= self.clock.unix_seconds() { Err(Rejected::Expired) } else { Ok(caller) }
        }
        .boxed()
    }
}
