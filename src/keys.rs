//! Keys that sign access tokens: created at the first start and stored in the database, for all instances.

use std::time::Duration;

use anyhow::Context as _;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::{PgConnection, PgExecutor, PgPool};
use taskfold_domain::limits::ACCESS_TOKEN_SECONDS;
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_event_log::{Clock, Worker};
use taskfold_web::auth::{KeySource, Rejected, Signer, Verifier};
use tokio_util::sync::CancellationToken;

/// Interval of reading the keys, within which a removed key becomes invalid. A key of another instance is read when a
/// token first uses it.
const RELOAD: Duration = Duration::from_secs(30);
/// The same before the first key, which another instance is about to create.
const FIRST_RELOAD: Duration = Duration::from_millis(500);
/// Key of the advisory lock, "tf_keys" in ASCII.
const LOCK: i64 = 0x74_66_5f_6b_65_79_73;

/// Returns a signer with the newest key, and creates the first one if there is none.
pub async fn signer(pool: &PgPool, clock: Clock) -> anyhow::Result<Signer> {
    let StoredKey { kid, private_pem } = within(REQUEST, newest_or_first(pool)).await?;
    Signer::new(kid, &private_pem, clock).context("reading the signing key")
}

/// The key that signs.
struct StoredKey {
    kid: String,
    private_pem: String,
}

async fn newest(db: impl PgExecutor<'_>) -> anyhow::Result<Option<StoredKey>> {
    let newest =
        sqlx::query_as!(StoredKey, "SELECT kid, private_pem FROM signing_keys ORDER BY created_at DESC, kid LIMIT 1",);
    newest.fetch_optional(db).await.context("reading the signing keys")
}

async fn newest_or_first(pool: &PgPool) -> anyhow::Result<StoredKey> {
    let mut transaction = pool.begin().await?;
    // Two instances that start at once must not create different keys.
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK).execute(&mut *transaction).await?;
    let key = match newest(&mut *transaction).await? {
        Some(key) => key,
        None => {
            let key = insert(&mut transaction).await?;
            tracing::info!(kid = key.kid, "created the first key for access tokens");
            key
        }
    };
    transaction.commit().await?;
    Ok(key)
}

async fn insert(db: &mut PgConnection) -> anyhow::Result<StoredKey> {
    let NewKey { kid, private_pem, public_pem } = NewKey::make()?;
    sqlx::query!(
        r#"
        INSERT INTO signing_keys (kid, private_pem, public_pem, created_at) VALUES ($1, $2, $3, clock_timestamp())
        "#,
        kid,
        private_pem,
        public_pem,
    )
    .execute(db)
    .await
    .context("storing a signing key")?;
    Ok(StoredKey { kid, private_pem })
}

/// Outcome of [`rotate`].
pub struct Rotated {
    pub kid: String,
    /// Number of older keys that were removed.
    pub removed: u64,
}

/// Creates a key that signs from now on. Removes the keys whose tokens have all expired, or with `revoke_old` all others.
pub async fn rotate(owner: &PgPool, revoke_old: bool) -> anyhow::Result<Rotated> {
    let mut transaction = owner.begin().await?;
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK).execute(&mut *transaction).await?;
    let StoredKey { kid, .. } = insert(&mut transaction).await?;
    // A key signs until each instance has read the next one, and its tokens are valid for as long again.
    let removed = sqlx::query!(
        r#"
        DELETE FROM signing_keys k
        WHERE k.kid <> $1
          AND ($2 OR EXISTS (
              SELECT FROM signing_keys n
              WHERE n.created_at > k.created_at AND n.created_at < clock_timestamp() - make_interval(secs => $3)))
        "#,
        kid,
        revoke_old,
        (ACCESS_TOKEN_SECONDS as f64) + 2.0 * RELOAD.as_secs_f64(),
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Rotated { kid, removed: removed.rows_affected() })
}

/// Loads all public keys into the verifier.
pub async fn load_into(verifier: &Verifier, pool: &PgPool) -> anyhow::Result<()> {
    verifier.replace(public_keys(pool).await?).context("reading the public keys")?;
    Worker::Keys.succeeded();
    Ok(())
}

/// Public keys of the database, for a verifier that meets an unknown key id.
pub struct StoredKeys(pub PgPool);

impl KeySource for StoredKeys {
    fn public_keys(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, Rejected>> {
        async {
            public_keys(&self.0).await.map_err(|error| {
                tracing::warn!(error = format!("{error:#}"), "the public keys could not be looked up");
                Rejected::Unavailable
            })
        }
        .boxed()
    }
}

/// Reads the public column only, which is all that the query-api may read.
async fn public_keys(pool: &PgPool) -> anyhow::Result<Vec<(String, String)>> {
    let keys = sqlx::query!("SELECT kid, public_pem FROM signing_keys").map(|key| (key.kid, key.public_pem));
    within(REQUEST, keys.fetch_all(pool)).await.context("reading the public keys")
}

/// Signs with the newest key until `shutdown`.
pub async fn keep_signing(signer: Signer, pool: PgPool, shutdown: CancellationToken) -> anyhow::Result<()> {
    while shutdown.run_until_cancelled(tokio::time::sleep(RELOAD)).await.is_some() {
        let replaced = within(REQUEST, newest(&pool)).await.and_then(|key| match key {
            Some(StoredKey { kid, private_pem }) => Ok(signer.replace(kid, &private_pem)?),
            None => Ok(()),
        });
        if let Err(error) = replaced {
            tracing::warn!(error = format!("{error:#}"), "the signing key could not be read again");
        }
    }
    Ok(())
}

/// Keeps the verifier current until `shutdown`. While the database is unavailable, the known keys remain valid.
pub async fn keep_current(verifier: Verifier, pool: PgPool, shutdown: CancellationToken) -> anyhow::Result<()> {
    loop {
        let pause = if verifier.public_keys().is_empty() { FIRST_RELOAD } else { RELOAD };
        if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return Ok(());
        }
        if let Err(error) = load_into(&verifier, &pool).await {
            tracing::warn!(error = format!("{error:#}"), "the public keys could not be read again");
        }
    }
}

struct NewKey {
    kid: String,
    private_pem: String,
    public_pem: String,
}

impl NewKey {
    fn make() -> anyhow::Result<Self> {
        let secret: [u8; 32] = rand::random();
        let key = SigningKey::from_bytes(&secret);
        let id: [u8; 8] = rand::random();
        Ok(Self {
            kid: hex::encode(id),
            private_pem: key.to_pkcs8_pem(LineEnding::LF)?.to_string(),
            public_pem: key.verifying_key().to_public_key_pem(LineEnding::LF)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_a_pair_of_pem_texts() -> anyhow::Result<()> {
        let key = NewKey::make()?;
        assert_eq!(key.kid.len(), 16);
        assert!(key.private_pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(key.public_pem.starts_with("-----BEGIN PUBLIC KEY-----\n"));
        Ok(())
    }
}
