//! The schema: the files of `migrations/`, inside the program, applied in order and never twice.

use anyhow::Context as _;
use sqlx::PgPool;
use sqlx::migrate::Migrator;

pub static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Brings the schema up to date. Several instances may do so at once: one works, the others wait.
pub async fn run(owner: &PgPool) -> anyhow::Result<()> {
    MIGRATOR.run(owner).await.context("bringing the database's schema up to date")
}

/// Whether every migration of this program has been applied. A newer schema is fine: migrations only go forward and
/// keep what the last release needs, so that instances can be exchanged one by one.
pub async fn check(owner: &PgPool) -> anyhow::Result<()> {
    let exists: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(owner).await?;
    let applied: Vec<i64> = if exists {
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
            .fetch_all(owner)
            .await
            .context("reading which migrations have been applied")?
    } else {
        Vec::new()
    };
    let missing = MIGRATOR.iter().filter(|migration| !applied.contains(&migration.version)).count();
    anyhow::ensure!(
        missing == 0,
        "the database's schema is not current ({missing} migrations are missing): run `taskfold migrate` first"
    );
    Ok(())
}
