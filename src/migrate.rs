//! Schema of the database: the files of `migrations/`, each applied once and in order; and functions, roles, grants and
//! policies, applied each time.

use std::borrow::Cow;

use anyhow::Context as _;
use sqlx::migrate::{Migration, Migrator};
use sqlx::{Connection as _, Executor as _, PgPool};
use taskfold_event_log::deadline::{REQUEST, within};

use crate::databases::{RoleUrls, make_logins};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");
/// Functions, roles, grants and policies, applied each time.
const REPEATED: [(&str, &str); 3] = [
    ("the append", include_str!("../migrations/append.sql")),
    ("the append of the previous release", include_str!("../migrations/append-previous-release.sql")),
    ("roles, grants and policies", include_str!("../migrations/access.sql")),
];
/// Key of the advisory lock, "tf_acces" in ASCII.
const LOCK: i64 = 0x74_66_5f_61_63_63_65_73;

/// Brings the schema up to date, with its roles, grants and policies, and creates the logins of the roles that have no
/// URL of their own. Several instances may do so at once: one works, the others wait.
pub async fn run(owner: &PgPool, given: &RoleUrls) -> anyhow::Result<()> {
    let mut db = owner.acquire().await?;
    // Limits how long a process that is suspended meanwhile can block others.
    sqlx::query!("SET idle_in_transaction_session_timeout = '2s'").execute(&mut *db).await?;
    migrator().run_direct(&mut *db).await.context("bringing the database's schema up to date")?;
    let mut tx = db.begin().await?;
    sqlx::query!("SELECT set_config('lock_timeout', '10s', true), pg_advisory_xact_lock($1)", LOCK)
        .fetch_one(&mut *tx)
        .await
        .context("waiting for another process that applies roles and grants")?;
    for (name, sql) in REPEATED {
        tx.execute(sql).await.with_context(|| format!("applying {name}"))?;
    }
    tx.commit().await?;
    sqlx::query!("RESET idle_in_transaction_session_timeout").execute(&mut *db).await?;
    drop(db);
    make_logins(owner, given).await
}

/// Ends the support of the previous release, which cannot read events whose words are stored apart.
pub async fn finish(owner: &PgPool) -> anyhow::Result<()> {
    let finishing = sqlx::query!("UPDATE log_head SET words_apart = true").execute(owner);
    within(REQUEST, finishing).await.context("finishing the upgrade")?;
    Ok(())
}

/// Migrations that tolerate an owner without CREATEROLE: the first ones create roles, which such an owner may not even
/// if an administrator has created them already. The released files and their checksums stay unchanged.
fn migrator() -> Migrator {
    let tolerant = |migration: &Migration| Migration {
        sql: Cow::Owned(migration.sql.replace(
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN",
            "EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN",
        )),
        ..migration.clone()
    };
    Migrator {
        migrations: MIGRATOR.iter().map(tolerant).collect::<Vec<_>>().into(),
        // A later release may have migrated: its schema has everything that this one needs.
        ignore_missing: true,
        ..Migrator::DEFAULT
    }
}

/// Fails unless every migration of this program has been applied. A newer schema is accepted: migrations keep what the
/// previous release needs, so that instances can be upgraded one by one.
pub async fn check(pool: &PgPool) -> anyhow::Result<()> {
    let exists =
        sqlx::query_scalar!(r#"SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS "exists!""#).fetch_one(pool);
    let applied = if within(REQUEST, exists).await? {
        let applied = sqlx::query_scalar!("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(pool);
        within(REQUEST, applied).await.context("reading which migrations have been applied")?
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
