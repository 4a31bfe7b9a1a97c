//! The keys that sign access tokens: made at the first start, kept in the database, known to every instance.

use std::time::Duration;

use anyhow::Context as _;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::PgPool;
use taskfold_event_log::Worker;
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_web::auth::{KeySource, Rejected, Signer, Verifier};
use tokio_util::sync::CancellationToken;

/// How soon a key that was taken back is forgotten here; one that another instance made is looked up when it is met.
const RELOAD: Duration = Duration::from_secs(60);
/// The same before the very first key: somebody is making it right now.
const FIRST_RELOAD: Duration = Duration::from_millis(500);
/// Any number that nobody else locks; it spells "tf_keys".
const LOCK: i64 = 0x74_66_5f_6b_65_79_73;

/// The newest key; the first of all if there is none yet.
pub async fn signer(pool: &PgPool) -> anyhow::Result<Signer> {
    within(REQUEST, newest_or_first(pool)).await
}

async fn newest_or_first(pool: &PgPool) -> anyhow::Result<Signer> {
    let mut transaction = pool.begin().await?;
    // Two instances that start at once must not make a key each and sign with different ones.
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    let newest: Option<(String, String)> =
        sqlx::query_as("SELECT kid, private_pem FROM signing_keys ORDER BY created_at DESC, kid LIMIT 1")
            .fetch_optional(&mut *transaction)
            .await
            .context("reading the signing keys")?;
    let (kid, private_pem) = match newest {
        Some(key) => key,
        None => {
            let NewKey { kid, private_pem, public_pem } = NewKey::make()?;
            sqlx::query(
                "INSERT INTO signing_keys (kid, private_pem, public_pem, created_at) VALUES ($1, $2, $3, now())",
            )
            .bind(&kid)
            .bind(&private_pem)
            .bind(&public_pem)
            .execute(&mut *transaction)
            .await
            .context("keeping the first signing key")?;
            tracing::info!(kid, "made the first key for access tokens");
            (kid, private_pem)
        }
    };
    transaction.commit().await?;
    Signer::new(kid, &private_pem).context("reading the signing key")
}

/// Fills the verifier with all public keys.
pub async fn load_into(verifier: &Verifier, pool: &PgPool) -> anyhow::Result<()> {
    verifier.replace(public_keys(pool).await?).context("reading the public keys")?;
    Worker::Keys.succeeded();
    Ok(())
}

/// The public keys as they are kept, for a verifier that meets one it does not know.
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

/// Needs the public column only.
async fn public_keys(pool: &PgPool) -> anyhow::Result<Vec<(String, String)>> {
    let keys = sqlx::query_as("SELECT kid, public_pem FROM signing_keys").fetch_all(pool);
    within(REQUEST, keys).await.context("reading the public keys")
}

/// Keeps the verifier current until `shutdown`. With the database away, the keys known so far go on being good.
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
            kid: id.iter().map(|byte| format!("{byte:02x}")).collect(),
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
