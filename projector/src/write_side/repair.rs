//! Repair of the side tables from the log.

use std::collections::{BTreeSet, HashSet};

use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use super::differences::{COMMANDS_OF_LOG, of_link, orphans, tasks};
use super::fold::{Break, Due, Folded, Sink, fold};
use crate::ProjectorError;
use crate::transactions::{lock_log, take_snapshot, will_read};

/// Tasks repaired at once, while commands wait: some hundredths of a second.
const CHUNK: usize = 200;

/// Rows that were rewritten.
#[derive(Clone, Debug, Default)]
pub struct Repaired {
    /// Tasks whose placement, links or reminder disagreed with the log.
    pub tasks: usize,
    /// Tasks that could not be placed: by the log, another task of their column has their rank.
    pub not_placed: Vec<Uuid>,
    /// Heads of aggregates.
    pub heads: usize,
    /// Attachments that count against quotas.
    pub files: u64,
    pub commands: u64,
    /// Rows of commands that the log does not have.
    pub commands_removed: u64,
    /// Commands that are missing, appended by a release that recorded too little of them.
    pub commands_lost: i64,
}

/// Repairs the side tables where they disagree with the log, as the owner of the tables. Commands go on meanwhile; each
/// set of tasks is repaired while the log is locked. Commands without events are in no log: they stay as they are, and
/// are not missed.
pub async fn repair(owner: &PgPool) -> Result<Repaired, ProjectorError> {
    let mut db = owner.acquire().await?.detach();
    let wrong: Vec<Uuid> = differing(&mut db).await?.into_iter().collect();
    let mut repaired = Repaired { tasks: wrong.len(), ..Repaired::default() };
    let left = repair_all(&mut db, wrong).await?;
    // Their ranks may have been those of others that were wrong.
    repaired.not_placed = repair_all(&mut db, left).await?;
    repaired.heads = super::heads::repair(&mut db).await?;
    repaired.files = super::files::repair(&mut db).await?;
    repair_commands(&mut db, &mut repaired).await?;
    db.close().await?;
    Ok(repaired)
}

/// Finds the tasks whose rows differ from the log, in one snapshot.
async fn differing(db: &mut PgConnection) -> Result<BTreeSet<Uuid>, ProjectorError> {
    let mut tx = db.begin().await?;
    will_read(&mut tx).await?;
    take_snapshot(&mut tx).await?;
    let mut differing = Differing::default();
    fold(&mut tx, None, &mut differing).await?;
    differing.0.extend(orphans(&mut tx, i64::MAX).await?.into_iter().filter_map(|difference| difference.task));
    tx.rollback().await?;
    Ok(differing.0)
}

#[derive(Default)]
struct Differing(BTreeSet<Uuid>);

impl Sink for Differing {
    async fn tasks(&mut self, db: &mut PgConnection, folded: Vec<Folded>) -> Result<(), ProjectorError> {
        self.0.extend(tasks(db, &folded).await?.into_iter().filter_map(|difference| difference.task));
        Ok(())
    }

    fn breaks(&mut self, _: Break) {}
}

#[derive(Default)]
struct Collected(Vec<Folded>);

impl Sink for Collected {
    async fn tasks(&mut self, _: &mut PgConnection, folded: Vec<Folded>) -> Result<(), ProjectorError> {
        self.0.extend(folded);
        Ok(())
    }

    fn breaks(&mut self, _: Break) {}
}

/// Rewrites the rows of these tasks. Returns the tasks that could not be placed. What the log has and cannot be folded
/// keeps its rows.
async fn repair_all(db: &mut PgConnection, mut wrong: Vec<Uuid>) -> Result<Vec<Uuid>, ProjectorError> {
    let mut left = Vec::new();
    while !wrong.is_empty() {
        let chunk: Vec<Uuid> = wrong.split_off(wrong.len().saturating_sub(CHUNK));
        let (folded, upto) = folded(db, &chunk).await?;
        let Written { not_placed, changed } = repair_tasks(db, &chunk, folded, upto).await?;
        left.extend(not_placed);
        wrong.extend(changed);
    }
    Ok(left)
}

/// Folds these tasks, and returns the head of the log then. Runs before the log is locked: a process suspended while it
/// reads would hold the lock.
async fn folded(db: &mut PgConnection, wrong: &[Uuid]) -> Result<(Vec<Folded>, i64), ProjectorError> {
    let mut tx = db.begin().await?;
    will_read(&mut tx).await?;
    take_snapshot(&mut tx).await?;
    let upto = taskfold_event_log::head(&mut *tx).await?;
    let mut collected = Collected::default();
    fold(&mut tx, Some(wrong), &mut collected).await?;
    tx.rollback().await?;
    Ok((collected.0, upto))
}

/// Outcome of rewriting the rows of some tasks.
struct Written {
    /// By the log, another task of their column has their rank.
    not_placed: Vec<Uuid>,
    /// Tasks with new events since they were folded: not written.
    changed: Vec<Uuid>,
}

/// Rewrites rows as of the log at `upto`, while nothing is appended.
async fn repair_tasks(
    db: &mut PgConnection,
    wrong: &[Uuid],
    mut folded: Vec<Folded>,
    upto: i64,
) -> Result<Written, ProjectorError> {
    let mut tx = db.begin().await?;
    lock_log(&mut tx).await?;
    let changed = sqlx::query_scalar!(
        r#"
        SELECT DISTINCT aggregate_id::uuid AS "task!" FROM events
        WHERE position > $1 AND aggregate_type = 'task' AND aggregate_id = ANY ($2)
        "#,
        upto,
        &wrong.iter().map(Uuid::to_string).collect::<Vec<_>>(),
    )
    .fetch_all(&mut *tx)
    .await?;
    folded.retain(|folded| !changed.contains(&folded.task));
    let unknown = sqlx::query_scalar!(
        r#"
        SELECT id AS "id!" FROM unnest($1::uuid[]) AS id
        WHERE NOT EXISTS (SELECT FROM events WHERE aggregate_type = 'task' AND aggregate_id = id::text)
        "#,
        wrong,
    )
    .fetch_all(&mut *tx)
    .await?;
    let ids: Vec<Uuid> = folded.iter().map(|folded| folded.task).chain(unknown).collect();
    sqlx::query!("DELETE FROM task_places WHERE task_id = ANY ($1)", &ids).execute(&mut *tx).await?;
    sqlx::query!("DELETE FROM task_links WHERE task_id = ANY ($1)", &ids).execute(&mut *tx).await?;
    // The table alone tells whether reminders that may be scheduled are.
    let (perhaps, then): (Vec<Uuid>, Vec<_>) = folded
        .iter()
        .filter_map(|folded| match folded.due {
            Due::Perhaps(at) => Some((folded.task, at.utc())),
            Due::Never | Due::At(_) => None,
        })
        .unzip();
    sqlx::query!(
        r#"
        DELETE FROM due_schedule s
        WHERE task_id = ANY ($1) AND NOT EXISTS (
            SELECT FROM unnest($2::uuid[], $3::timestamptz[]) AS perhaps (task_id, at)
            WHERE (perhaps.task_id, perhaps.at) = (s.task_id, s.at))
        "#,
        &ids,
        &perhaps,
        &then,
    )
    .execute(&mut *tx)
    .await?;
    let not_placed = insert(&mut tx, &folded).await?;
    tx.commit().await?;
    Ok(Written { not_placed, changed })
}

async fn insert(db: &mut PgConnection, folded: &[Folded]) -> Result<Vec<Uuid>, ProjectorError> {
    let placed = sqlx::query_scalar!(
        r#"
        INSERT INTO task_places (task_id, project_id, column_id, rank, state)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::smallint[])
        ON CONFLICT DO NOTHING RETURNING task_id
        "#,
        &folded.iter().map(|f| f.task).collect::<Vec<_>>(),
        &folded.iter().map(|f| f.project).collect::<Vec<_>>(),
        &folded.iter().map(|f| f.placement.column.0).collect::<Vec<_>>(),
        &folded.iter().map(|f| f.placement.rank.as_str()).collect::<Vec<_>>() as _,
        &folded.iter().map(|f| f.placement.state as i16).collect::<Vec<_>>(),
    )
    .fetch_all(&mut *db)
    .await?;
    let links: Vec<(i16, Uuid, Uuid)> =
        folded.iter().flat_map(|f| f.links.iter().map(of_link).map(|(kind, target)| (kind, f.task, target))).collect();
    sqlx::query!(
        r#"
        INSERT INTO task_links (kind, task_id, target_id)
        SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::uuid[])
        "#,
        &links.iter().map(|link| link.0).collect::<Vec<_>>(),
        &links.iter().map(|link| link.1).collect::<Vec<_>>(),
        &links.iter().map(|link| link.2).collect::<Vec<_>>(),
    )
    .execute(&mut *db)
    .await?;
    let (tasks, at): (Vec<Uuid>, Vec<_>) = folded
        .iter()
        .filter_map(|f| match f.due {
            Due::At(at) => Some((f.task, at.utc())),
            Due::Never | Due::Perhaps(_) => None,
        })
        .unzip();
    sqlx::query!(
        "INSERT INTO due_schedule (task_id, at) SELECT * FROM unnest($1::uuid[], $2::timestamptz[])",
        &tasks,
        &at,
    )
    .execute(db)
    .await?;
    let placed: HashSet<Uuid> = placed.into_iter().collect();
    Ok(folded.iter().map(|f| f.task).filter(|task| !placed.contains(task)).collect())
}

/// Repairs commands. A command and its events are committed together, so that each statement sees both or neither, and
/// commands go on meanwhile.
async fn repair_commands(db: &mut PgConnection, repaired: &mut Repaired) -> Result<(), ProjectorError> {
    let removed = format!(
        r#"
        DELETE FROM commands WHERE (actor_id, command_id) IN (
            SELECT c.actor_id, c.command_id
            FROM commands c LEFT JOIN ({COMMANDS_OF_LOG}) AS l USING (actor_id, command_id)
            WHERE l.last_position IS NULL AND c.first_position <= c.last_position)
        "#
    );
    repaired.commands_removed = sqlx::query(&removed).execute(&mut *db).await?.rows_affected();
    let written = format!(
        r#"
        INSERT INTO commands AS c (actor_id, command_id, aggregate_id, version, first_position, last_position, fingerprint,
                                   created_id, created)
        SELECT actor_id, command_id, aggregate_id, version, first_position, last_position, fingerprint, created_id, created
        FROM ({COMMANDS_OF_LOG}) AS l WHERE fingerprint IS NOT NULL
        ON CONFLICT (actor_id, command_id) DO UPDATE
        SET aggregate_id = excluded.aggregate_id, version = excluded.version,
            first_position = excluded.first_position, last_position = excluded.last_position,
            fingerprint = excluded.fingerprint, created_id = excluded.created_id, created = excluded.created
        WHERE (c.aggregate_id, c.version, c.first_position, c.last_position, c.fingerprint, c.created_id, c.created)
            IS DISTINCT FROM (excluded.aggregate_id, excluded.version, excluded.first_position, excluded.last_position,
                              excluded.fingerprint, excluded.created_id, excluded.created)
        "#
    );
    repaired.commands = sqlx::query(&written).execute(&mut *db).await?.rows_affected();
    let corrected = format!(
        r#"
        UPDATE commands c
        SET aggregate_id = l.aggregate_id, version = l.version, first_position = l.first_position,
            last_position = l.last_position
        FROM ({COMMANDS_OF_LOG}) AS l
        WHERE (l.actor_id, l.command_id) = (c.actor_id, c.command_id) AND l.fingerprint IS NULL
          AND (l.aggregate_id, l.version, l.first_position, l.last_position)
              IS DISTINCT FROM (c.aggregate_id, c.version, c.first_position, c.last_position)
        "#
    );
    repaired.commands += sqlx::query(&corrected).execute(&mut *db).await?.rows_affected();
    repaired.commands_lost = sqlx::query_scalar(&format!(
        r#"
        SELECT count(*) FROM ({COMMANDS_OF_LOG}) AS l LEFT JOIN commands c USING (actor_id, command_id)
        WHERE c.last_position IS NULL
        "#
    ))
    .fetch_one(db)
    .await?;
    Ok(())
}
