use sqlx::{Connection, PgPool};

use crate::fold::Decoded;
use crate::set_aside::{self, aggregate_of};
use crate::tables::{AttachmentRow, CommentRow, MemberRow, ProjectRow, Row, Tables, TaskRow};
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

/// Writes the read tables anew from the log, up to the checkpoint, in one transaction: readers see the old rows until the
/// new ones are there, and projecting waits meanwhile.
pub async fn rebuild(pool: &PgPool, mut progress: impl FnMut(i64, i64)) -> Result<Rebuilt, ProjectorError> {
    let mut db = pool.acquire().await?;
    let mut tx = db.begin().await?;
    let checkpoint: i64 =
        sqlx::query_scalar("SELECT position FROM projection_checkpoint FOR UPDATE").fetch_one(&mut *tx).await?;
    let rewritten = [
        TaskRow::TABLE,
        ProjectRow::TABLE,
        MemberRow::TABLE,
        CommentRow::TABLE,
        AttachmentRow::TABLE,
        "set_aside_events",
    ];
    for table in rewritten {
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
    sqlx::query("UPDATE projection_checkpoint SET version = $1").bind(VERSION).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(rebuilt)
}
