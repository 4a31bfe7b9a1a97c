use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_event_log::{clock, metrics};
use taskfold_web::auth::{ApiTokens, Means, Rejected, TokenKey};
use taskfold_web::{Access, Caller, Scope};
use uuid::Uuid;

/// How long what was looked up is good for. An open stream asks as often as this, so that revoking is felt within twice.
const GOOD_FOR: Duration = Duration::from_secs(2);
const KEPT: u64 = 10_000;

/// The API tokens of the database, as of the last two seconds. Expiry is exact.
pub struct StoredTokens {
    pool: PgPool,
    /// Those that are not there too: a client that goes on with a revoked one costs no more than another.
    known: Cache<Key, Option<Caller>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Hash([u8; 32]),
    Id(Uuid),
}

/// A row of `taskfold_use_api_token`, the expiry in seconds since 1970.
type Row = (Uuid, Uuid, String, Option<Uuid>, Option<i64>);

impl StoredTokens {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, known: Cache::builder().max_capacity(KEPT).time_to_live(GOOD_FOR).build() }
    }

    async fn look_up(&self, key: &Key) -> anyhow::Result<Option<Caller>> {
        let (hash, id) = match key {
            Key::Hash(hash) => (Some(hash.as_slice()), None),
            Key::Id(id) => (None, Some(*id)),
        };
        let look = sqlx::query_as(
            "SELECT token_id, user_id, access, project_id, floor(extract(epoch FROM expires_at))::bigint \
             FROM taskfold_use_api_token($1, $2)",
        )
        .bind(hash)
        .bind(id);
        let row: Option<Row> = within(REQUEST, look.fetch_optional(&self.pool)).await?;
        let Some((token, user, access, project, expires_at)) = row else { return Ok(None) };
        let access = Access::of_word(&access).with_context(|| format!("api_tokens.access of {token}: {access}"))?;
        Ok(Some(Caller {
            user_id: UserId(user),
            means: Means::ApiToken(token),
            scope: Scope { access, project: project.map(ProjectId) },
            expires_at: expires_at.unwrap_or(i64::MAX),
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
            // Of many requests at once, one looks.
            let known =
                self.known.entry_by_ref(&key).or_try_insert_with(self.look_up(&key)).await.map_err(|error| {
                    tracing::warn!(error = format!("{error:#}"), "an API token could not be looked up");
                    Rejected::Unavailable
                })?;
            metrics::cache_looked_up("api_tokens", !known.is_fresh());
            let caller = known.into_value().ok_or(Rejected::Invalid)?;
            if caller.expires_at <= clock::now().utc().timestamp() { Err(Rejected::Expired) } else { Ok(caller) }
        }
        .boxed()
    }
}
