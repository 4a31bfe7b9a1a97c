use sqlx::{Connection, PgPool};

use crate::fold::Decoded;
use crate::set_aside::{self, aggregate_of};
use crate::tables::{TABLES, Tables};
use crate::{ProjectorError, VERSION};

const PAGE: i64 = 5000;

/// What a rebuild came to.
#[derive(Clone, Copy, Debug)]
pub struct Rebuilt {
    /// Events folded.
    pub events: i64,
    /// Of them, how many could not be.
    pub set_aside: i64,
}

/// Rebuilds read tables that another version of this code has written.
pub async fn bring_up_to_date(pool: &PgPool) -> Result<(), ProjectorError> {
    let (position, version): (i64, i32) =
        sqlx::query_as("SELECT position, version FROM projection_checkpoint").fetch_one(pool).await?;
    if version != VERSION {
        if position > 0 {
            tracing::info!(position, version, now = VERSION, "the read tables are of another version, rebuilding them");
        }
        rebuild(pool, |_, _| {}).await?;
    }
    Ok(())
}

/// Writes the read tables anew from the log, up to the checkpoint, in one transaction: readers see the old rows until the
/// new ones are there, and projecting waits meanwhile.
pub async fn rebuild(pool: &PgPool, mut progress: impl FnMut(i64, i64)) -> Result<Rebuilt, ProjectorError> {
    let mut db = pool.acquire().await?;
    let mut tx = db.begin().await?;
    let checkpoint: i64 =
        sqlx::query_scalar("SELECT position FROM projection_checkpoint FOR UPDATE").fetch_one(&mut *tx).await?;
    for table in TABLES.iter().map(|(table, _)| *table).chain(["set_aside_events"]) {
        sqlx::query(&format!("DELETE FROM {table}")).execute(&mut *tx).await?;
    }
    let mut rebuilt = Rebuilt { events: 0, set_aside: 0 };
    let mut tables = Tables::default();
    let mut aside = std::collections::HashSet::new();
    while rebuilt.events < checkpoint {
        let last = checkpoint.min(rebuilt.events + PAGE);
        for event in taskfold_event_log::page_between(&mut *tx, rebuilt.events + 1, last).await? {
            let applied = if aside.contains(&aggregate_of(&event)) {
                Err("waits for an earlier event of its aggregate".to_owned())
            } else {
                Decoded::new(&event)
                    .map_err(|e| e.to_string())
                    .and_then(|decoded| tables.apply(&decoded).map_err(|e| e.to_string()))
            };
            if let Err(reason) = applied {
                set_aside::put(&mut tx, &event, &reason).await?;
                aside.insert(aggregate_of(&event));
                rebuilt.set_aside += 1;
            }
        }
        tables.store(&mut tx).await?;
        rebuilt.events = last;
        progress(last, checkpoint);
    }
    sqlx::query("UPDATE projection_checkpoint SET version = $1, generation = generation + 1")
        .bind(VERSION)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(rebuilt)
}
