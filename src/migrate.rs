//! The schema: the files of `migrations/`, inside the program, applied in order and never twice; and who may do what with it, which is
//! looked at each time.

use std::borrow::Cow;

use anyhow::Context as _;
use sqlx::migrate::{Migration, Migrator};
use sqlx::{Connection as _, Executor as _, PgPool};
use taskfold_event_log::deadline::{REQUEST, within};

use crate::databases::{PartUrls, make_logins};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");
/// Functions, roles, grants and policies: applied again and again.
const REPEATED: [(&str, &str); 2] = [
    ("the append", include_str!("../migrations/append.sql")),
    ("roles, grants and policies", include_str!("../migrations/access.sql")),
];
/// Any number that nobody else locks; it spells "tf_acces".
const LOCK: i64 = 0x74_66_5f_61_63_63_65_73;

/// Brings the schema up to date, with the roles, grants and policies that go with it, and makes the login roles of the parts that have no
/// URL of their own. Several instances may do so at once: one works, the others wait.
pub async fn run(owner: &PgPool, given: &PartUrls) -> anyhow::Result<()> {
    let mut db = owner.acquire().await?;
    // A process that is suspended in the middle keeps nobody waiting for longer than this.
    sqlx::query("SET idle_in_transaction_session_timeout = '2s'").execute(&mut *db).await?;
    migrator().run_direct(&mut *db).await.context("bringing the database's schema up to date")?;
    let mut tx = db.begin().await?;
    sqlx::query("SELECT set_config('lock_timeout', '10s', true), pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *tx)
        .await
        .context("waiting for another taskfold that looks after roles and grants")?;
    for (what, sql) in REPEATED {
        tx.execute(sql).await.with_context(|| format!("applying {what}"))?;
    }
    tx.commit().await?;
    sqlx::query("RESET idle_in_transaction_session_timeout").execute(&mut *db).await?;
    drop(db);
    make_logins(owner, given).await
}

/// Ends the support of processes of the previous release: words are stored apart from now on, which it cannot read.
pub async fn finish(owner: &PgPool) -> anyhow::Result<()> {
    let finishing = sqlx::query("UPDATE log_head SET words_apart = true").execute(owner);
    within(REQUEST, finishing).await.context("finishing the upgrade")?;
    Ok(())
}

/// The first migrations make roles, which an owner without CREATEROLE may not, also where an administrator has made them already: they then
/// go on. The files are released and stay as they are, and so do their checksums.
fn migrator() -> Migrator {
    let made_before = |migration: &Migration| Migration {
        sql: Cow::Owned(migration.sql.replace(
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN",
            "EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN",
        )),
        ..migration.clone()
    };
    Migrator {
        migrations: MIGRATOR.iter().map(made_before).collect::<Vec<_>>().into(),
        // A later release has been here: its schema has all that this one needs.
        ignore_missing: true,
        ..Migrator::DEFAULT
    }
}

/// Whether every migration of this program has been applied. A newer schema is fine: migrations only go forward and
/// keep what the last release needs, so that instances can be exchanged one by one.
pub async fn check(pool: &PgPool) -> anyhow::Result<()> {
    let exists = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(pool);
    let applied: Vec<i64> = if within(REQUEST, exists).await? {
        let applied = sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(pool);
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
