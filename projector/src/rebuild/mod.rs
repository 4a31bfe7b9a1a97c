//! Rebuilds of the read tables from the log: a new generation is built beside the live one, compared with it, and
//! switched to in one transaction. Reads and projections go on meanwhile, and the previous generation is kept to return
//! to.

/// Differences between two generations.
mod differences;
/// Fill of empty tables from the log.
mod fill;

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use taskfold_event_log::deadline::{REQUEST, within};

use crate::ProjectorError;
use crate::generation::Generation;
use crate::versions::{self, Written};

pub use differences::Difference;

/// Use of a generation that is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Report how it differs, and drop it.
    Compare,
    /// Report how it differs, and make it live.
    Switch,
}

/// Stage of a rebuild, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Events are folded.
    Folding,
    /// Documents of tasks are written, by blocks of the table.
    Documents,
    Indexes,
    /// Tables are compared.
    Comparing,
}

/// Callback with the stage, the work done and the work in all, from several tasks.
pub type Progress<'a> = &'a (dyn Fn(Stage, u64, u64) + Send + Sync);

/// Result of a rebuild.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    /// Position at which the generations were compared or switched.
    pub position: i64,
    /// Events that could not be folded.
    pub dead_letters: i64,
    pub differences: Vec<Difference>,
}

/// Counter that reports its progress.
struct Count<'a> {
    stage: Stage,
    done: AtomicU64,
    total: u64,
    progress: Progress<'a>,
}

impl<'a> Count<'a> {
    fn new(stage: Stage, total: u64, progress: Progress<'a>) -> Self {
        progress(stage, 0, total);
        Self { stage, done: AtomicU64::new(0), total, progress }
    }

    fn add(&self, more: u64) {
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        (self.progress)(self.stage, done, self.total);
    }
}

/// Rebuilds, unless a rebuild is under way.
pub async fn rebuild(pool: &PgPool, then: Then, progress: Progress<'_>) -> Result<Rebuilt, ProjectorError> {
    alone(pool, rebuild_alone(pool, then, progress)).await
}

async fn rebuild_alone(pool: &PgPool, then: Then, progress: Progress<'_>) -> Result<Rebuilt, ProjectorError> {
    if let Written::Later(tables) = versions::written(pool).await? {
        return Err(ProjectorError::WrittenByLater(tables.join(", ")));
    }
    build(pool, progress).await?;
    let mut next = Generation::Next.connect(pool).await?;
    next.follow().await?;
    let dead_letters = dead_letters(next.db()).await?;
    let (position, differences) = differences::find(pool, &mut next, Generation::Next, progress).await?;
    match then {
        Then::Compare => {
            sqlx::query!("SELECT taskfold_generation_drop('taskfold_next')").execute(pool).await?;
            Ok(Rebuilt { position, dead_letters, differences })
        }
        Then::Switch => Ok(Rebuilt { position: next.switch(pool).await?, dead_letters, differences }),
    }
}

/// Makes the previous generation live again, caught up with the log. The live one becomes the previous.
pub async fn back(pool: &PgPool, progress: Progress<'_>) -> Result<Rebuilt, ProjectorError> {
    alone(pool, back_alone(pool, progress)).await
}

async fn back_alone(pool: &PgPool, progress: Progress<'_>) -> Result<Rebuilt, ProjectorError> {
    let mut previous = Generation::Previous.connect(pool).await?;
    let exists = sqlx::query_scalar!(
        r#"SELECT to_regclass('taskfold_previous.projection_checkpoint') IS NOT NULL AS "exists!""#
    )
    .fetch_one(previous.db())
    .await?;
    if !exists {
        return Err(ProjectorError::NoWayBack("there is no previous generation".to_owned()));
    }
    let misfits = sqlx::query_scalar!(
        r#"SELECT misfit AS "misfit!" FROM taskfold_generation_misfits('taskfold_previous') AS misfit"#
    )
    .fetch_all(previous.db())
    .await?;
    let ours = sqlx::query_scalar!(
        r#"SELECT versions = $1 AS "ours!" FROM projection_checkpoint"#,
        Json(versions::ours()) as _,
    )
    .fetch_one(previous.db())
    .await?;
    if !ours || !misfits.is_empty() {
        return Err(ProjectorError::NoWayBack(format!(
            "another version of Taskfold wrote the previous generation{}",
            if misfits.is_empty() { String::new() } else { format!(", with other columns in {}", misfits.join(", ")) }
        )));
    }
    previous.follow().await?;
    let dead_letters = dead_letters(previous.db()).await?;
    let (_, differences) = differences::find(pool, &mut previous, Generation::Previous, progress).await?;
    Ok(Rebuilt { position: previous.switch(pool).await?, dead_letters, differences })
}

/// Drops the previous generation and reclaims its space.
pub async fn forget(pool: &PgPool) -> Result<(), ProjectorError> {
    sqlx::query!("SELECT taskfold_generation_drop('taskfold_previous')").execute(pool).await?;
    Ok(())
}

/// Rebuilds read tables that an earlier version of this code has written. Nothing may be projected into them meanwhile.
pub async fn bring_up_to_date(pool: &PgPool) -> Result<(), ProjectorError> {
    match within(REQUEST, versions::written(pool)).await? {
        Written::Current => return Ok(()),
        Written::Later(tables) => return Err(ProjectorError::WrittenByLater(tables.join(", "))),
        Written::Before(tables) => {
            let position = taskfold_event_log::projected_position(pool).await?;
            if position == 0 {
                let mut db = pool.acquire().await?;
                return mark_as_ours(&mut db, 0).await;
            }
            tracing::info!(
                position,
                tables = tables.join(", "),
                "an earlier version wrote read tables, rebuilding them"
            );
        }
    }
    let position = alone(pool, async {
        build(pool, &|_, _, _| {}).await?;
        Generation::Next.connect(pool).await?.switch(pool).await
    })
    .await?;
    tracing::info!(position, "read tables rebuilt");
    Ok(())
}

/// Creates `taskfold_next`, complete up to the checkpoint of the live generation when this began.
async fn build(pool: &PgPool, progress: Progress<'_>) -> Result<(), ProjectorError> {
    sqlx::query!("SELECT taskfold_generation_begin()").execute(pool).await?;
    let upto = taskfold_event_log::projected_position(pool).await?;
    fill::fill(pool, upto, progress).await?;
    sqlx::query!("SELECT taskfold_generation_protect()").execute(pool).await?;
    let mut next = Generation::Next.connect(pool).await?;
    mark_as_ours(next.db(), upto).await
}

/// Writes position and versions into the checkpoint that the connection sees.
async fn mark_as_ours(db: &mut PgConnection, position: i64) -> Result<(), ProjectorError> {
    sqlx::query!(
        "UPDATE projection_checkpoint SET position = $1, versions = $2",
        position,
        Json(versions::ours()) as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Number of dead letters of the generation that the connection sees.
async fn dead_letters(db: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM set_aside_events"#).fetch_one(db).await
}

/// Excludes a second rebuild: there is one schema for a generation under construction. If the process is killed, the
/// lock ends with its connection.
async fn alone<T>(pool: &PgPool, work: impl Future<Output = Result<T, ProjectorError>>) -> Result<T, ProjectorError> {
    let mut connection = pool.acquire().await?.detach();
    let lock = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock(hashtext('taskfold rebuild')) AS "locked!""#);
    if !lock.fetch_one(&mut connection).await? {
        return Err(ProjectorError::Rebuilding);
    }
    let done = work.await;
    // Unlocked before returning: PostgreSQL may take a while to notice a closed connection, and would refuse the next
    // rebuild.
    let unlock = sqlx::query!("SELECT pg_advisory_unlock(hashtext('taskfold rebuild'))");
    if let Err(error) = unlock.fetch_one(&mut connection).await {
        tracing::debug!(%error, "the lock of the rebuild ends with its connection");
    }
    done
}
