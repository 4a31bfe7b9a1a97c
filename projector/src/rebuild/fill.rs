//! Fill of empty read tables from the log, by several workers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::available_parallelism;

use futures::future::try_join_all;
use sqlx::{Connection, PgConnection, PgPool};
use taskfold_domain::SubjectKind;
use taskfold_event_log::{EventRow, LoggedEvent};
use tokio::sync::Mutex;

use super::{Count, Progress, Stage};
use crate::ProjectorError;
use crate::dead_letters;
use crate::decoded::Decoded;
use crate::derived;
use crate::generation::{Generation, GenerationConnection};
use crate::read_models::WatcherHistory;
use crate::tables::Tables;

/// Events read at once.
const PAGE: i64 = 1000;
/// Rows written at once.
const ROWS: usize = 2000;
/// Number of parts of the log: many more than workers, because they differ in size.
const PARTS: i64 = 128;
/// Blocks of tasks whose documents are written at once.
const BLOCKS: usize = 1000;
/// Maximum of workers. More would not help: PostgreSQL has as much to do.
const WORKERS: usize = 8;

/// Fills the tables of the next generation from the log up to `upto`, and creates their indexes.
///
/// The rows of an aggregate depend on its own events alone, and on the watchers of its project. So aggregates are
/// folded one by one, in the order of the log's primary key, by several workers: projects first, then all others.
pub async fn fill(pool: &PgPool, upto: i64, progress: Progress<'_>) -> Result<(), ProjectorError> {
    let workers = available_parallelism().map_or(2, usize::from).min(WORKERS);
    let mut connections = Vec::with_capacity(workers);
    for _ in 0..workers {
        connections.push(Generation::Next.connect(pool).await?);
    }
    // Some tables are written to row by row meanwhile, which needs their indexes.
    let indexes = sqlx::query!(
        r#"
        SELECT name AS "name!", name LIKE 'set\_aside%' OR name LIKE 'projection\_checkpoint%' AS "early!"
        FROM taskfold_generation_indexes() AS name
        "#
    )
    .fetch_all(connections[0].db())
    .await?;
    let (early, late): (Vec<_>, Vec<_>) = indexes.into_iter().partition(|index| index.early);
    for index in early {
        make_index(connections[0].db(), &index.name).await?;
    }

    let count = Count::new(Stage::Folding, upto.unsigned_abs(), progress);
    let mut history = Arc::default();
    for kind in kinds(connections[0].db()).await? {
        let parts = parts(connections[0].db(), &kind, upto).await?;
        let source = Source { kind: &kind, upto, history: &history };
        let jobs = parts.into_iter().map(|part| Job::Fold { source: &source, part }).collect();
        let found = each(&mut connections, jobs, &count).await?;
        if kind == SubjectKind::Project.as_str() {
            history = Arc::new(WatcherHistory::of_all(found));
        }
    }

    let blocks =
        sqlx::query_scalar!(r#"SELECT pg_relation_size('tasks') / current_setting('block_size')::bigint AS "blocks!""#)
            .fetch_one(connections[0].db())
            .await?;
    let count = Count::new(Stage::Documents, blocks.unsigned_abs(), progress);
    let ranges = (0..blocks).step_by(BLOCKS);
    let jobs = ranges.map(|first| Job::Documents { first, end: blocks.min(first + BLOCKS as i64) }).collect();
    each(&mut connections, jobs, &count).await?;
    derived::write_all_but_documents(connections[0].db()).await?;

    let count = Count::new(Stage::Indexes, late.len() as u64, progress);
    each(&mut connections, late.into_iter().map(|index| Job::Index { name: index.name }).collect(), &count).await?;
    Ok(())
}

/// Kinds of aggregates in the log, those unknown to this program included: one look-up in the primary key for each.
async fn kinds(db: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        WITH RECURSIVE kinds (kind) AS (
            (SELECT aggregate_type FROM events ORDER BY aggregate_type LIMIT 1)
            UNION ALL
            SELECT (SELECT aggregate_type FROM events WHERE aggregate_type > kind ORDER BY aggregate_type LIMIT 1)
            FROM kinds WHERE kind IS NOT NULL)
        SELECT kind AS "kind!" FROM kinds WHERE kind IS NOT NULL ORDER BY kind <> 'project'
        "#
    )
    .fetch_all(db)
    .await
}

async fn make_index(db: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    sqlx::query!("SELECT taskfold_generation_index($1)", name).execute(db).await?;
    Ok(())
}

/// Unit of work of a worker.
enum Job<'a> {
    Fold {
        source: &'a Source<'a>,
        part: Part,
    },
    /// Writes the documents of the tasks in these blocks.
    Documents {
        first: i64,
        end: i64,
    },
    Index {
        name: String,
    },
}

impl Job<'_> {
    /// Runs the job. Returns the watchers of the projects that were folded.
    async fn run(
        self,
        generation: &mut GenerationConnection,
        count: &Count<'_>,
    ) -> Result<WatcherHistory, ProjectorError> {
        match self {
            Self::Fold { source, part } => return fold(generation.db(), source, part, count).await,
            Self::Documents { first, end } => {
                derived::insert_documents(generation.db(), first, end).await?;
                count.add((end - first).unsigned_abs());
            }
            Self::Index { name } => {
                make_index(generation.db(), &name).await?;
                count.add(1);
            }
        }
        Ok(WatcherHistory::default())
    }
}

/// Runs all jobs, as many at once as there are connections.
async fn each(
    connections: &mut [GenerationConnection],
    jobs: VecDeque<Job<'_>>,
    count: &Count<'_>,
) -> Result<Vec<WatcherHistory>, ProjectorError> {
    let jobs = Mutex::new(jobs);
    let workers = connections.iter_mut().map(|generation| work(generation, &jobs, count));
    Ok(try_join_all(workers).await?.into_iter().flatten().collect())
}

async fn work(
    generation: &mut GenerationConnection,
    jobs: &Mutex<VecDeque<Job<'_>>>,
    count: &Count<'_>,
) -> Result<Vec<WatcherHistory>, ProjectorError> {
    let mut done = Vec::new();
    loop {
        let Some(job) = jobs.lock().await.pop_front() else { return Ok(done) };
        done.push(job.run(generation, count).await?);
    }
}

/// Aggregates from this id to before that one.
struct Part {
    from: String,
    to: String,
}

/// Cuts the aggregates of a kind into parts, at the aggregates of evenly spaced events.
async fn parts(db: &mut PgConnection, kind: &str, upto: i64) -> sqlx::Result<VecDeque<Part>> {
    let some: Vec<i64> = (1..PARTS).map(|n| upto / PARTS * n).collect();
    // The last bound is an id behind the last one.
    let bounds = sqlx::query_scalar!(
        r#"
        SELECT aggregate_id AS "id!" FROM events WHERE aggregate_type = $1 AND position = ANY ($2)
        UNION
        SELECT max(aggregate_id) || '0' FROM events WHERE aggregate_type = $1
        ORDER BY 1
        "#,
        kind,
        &some,
    )
    .fetch_all(db)
    .await?;
    let from = std::iter::once(String::new()).chain(bounds.iter().cloned());
    Ok(from.zip(bounds.clone()).map(|(from, to)| Part { from, to }).collect())
}

/// Input that all parts of a kind have in common.
struct Source<'a> {
    kind: &'a str,
    upto: i64,
    history: &'a Arc<WatcherHistory>,
}

impl Source<'_> {
    async fn page(
        &self,
        db: &mut PgConnection,
        part: &Part,
        (id, version): (&str, i64),
    ) -> sqlx::Result<Vec<LoggedEvent>> {
        sqlx::query_as!(
            EventRow,
            r#"
            SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version,
                   payload::text AS "payload!", words AS "words: _", project_id, actor_id, command_id,
                   occurred_at AS "occurred_at: _", recorded_at AS "recorded_at: _", traceparent
            FROM events
            WHERE aggregate_type = $1 AND (aggregate_id, sequence) > ($2, $3) AND aggregate_id < $4 AND position <= $5
            ORDER BY aggregate_type, aggregate_id, sequence LIMIT $6
            "#,
            self.kind,
            id,
            version,
            part.to,
            self.upto,
            PAGE,
        )
        .map(LoggedEvent::from)
        .fetch_all(db)
        .await
    }

    fn tables(&self) -> Tables {
        Tables { history: Some(Arc::clone(self.history)), ..Tables::default() }
    }
}

/// Rows that are folded and not yet written.
struct Folded {
    tables: Tables,
    /// Ids of their aggregates.
    aggregates: Vec<String>,
}

/// Folds the aggregates of one part into rows, and writes those.
async fn fold(
    db: &mut PgConnection,
    source: &Source<'_>,
    part: Part,
    count: &Count<'_>,
) -> Result<WatcherHistory, ProjectorError> {
    let mut folded = Folded { tables: source.tables(), aggregates: Vec::new() };
    let mut history = WatcherHistory::default();
    let mut failed = false;
    let (mut id, mut version) = (part.from.clone(), 0);
    loop {
        let page = source.page(db, &part, (&id, version)).await?;
        let Some(last) = page.last() else { break };
        (id, version) = (last.aggregate_id.clone(), last.sequence);
        for event in &page {
            if folded.aggregates.last() != Some(&event.aggregate_id) {
                if folded.tables.rows() >= ROWS {
                    write(db, source, &mut folded).await?;
                }
                folded.aggregates.push(event.aggregate_id.clone());
                failed = false;
            }
            if let Err(reason) = apply(&mut folded.tables, event, failed) {
                dead_letters::put(db, event, &reason).await?;
                failed = true;
            } else if let Some(project) = event.project_id.filter(|_| source.kind == SubjectKind::Project.as_str()) {
                folded.tables.projects.get(&project).into_iter().for_each(|row| history.add(row));
            }
        }
        count.add(page.len() as u64);
    }
    write(db, source, &mut folded).await?;
    Ok(history)
}

fn apply(tables: &mut Tables, event: &LoggedEvent, failed: bool) -> Result<(), String> {
    if failed {
        return Err(dead_letters::WAITS.to_owned());
    }
    let decoded = Decoded::new(event).map_err(|e| e.to_string())?;
    tables.apply(&decoded).map_err(|e| e.to_string())
}

async fn write(db: &mut PgConnection, source: &Source<'_>, folded: &mut Folded) -> Result<(), ProjectorError> {
    let aggregates = std::mem::take(&mut folded.aggregates);
    let mut tx = db.begin().await?;
    match folded.tables.copy(&mut tx).await {
        Ok(()) => Ok(tx.commit().await?),
        Err(error) if error.is_of_the_whole() => Err(error),
        Err(error) => {
            tx.rollback().await?;
            folded.tables = source.tables();
            tracing::warn!(%error, "rows could not be stored, going on one aggregate at a time");
            for aggregate in aggregates {
                write_what_can_be(db, source, &aggregate).await?;
            }
            Ok(())
        }
    }
}

/// Writes the rows of one aggregate as of before its first event that cannot be stored, and dead-letters that event and
/// all behind it.
async fn write_what_can_be(db: &mut PgConnection, source: &Source<'_>, aggregate: &str) -> Result<(), ProjectorError> {
    let mut events = taskfold_event_log::aggregate_after(&mut *db, source.kind, aggregate, 0).await?;
    events.retain(|event| event.position <= source.upto);
    let fold = |events: &[LoggedEvent]| {
        let mut tables = source.tables();
        events.iter().try_for_each(|event| apply(&mut tables, event, false)).map(|()| tables)
    };
    // From the whole history down: what cannot be stored is most often the last that was written.
    let mut refused: Option<String> = None;
    for end in (0..=events.len()).rev() {
        // What cannot be folded has been dead-lettered already.
        let Ok(mut tables) = fold(&events[..end]) else { continue };
        let mut tx = db.begin().await?;
        match tables.copy(&mut tx).await {
            Ok(()) => {
                if let (Some(reason), Some((first, behind))) = (&refused, events[end..].split_first()) {
                    dead_letters::put(&mut tx, first, reason).await?;
                    for event in behind {
                        dead_letters::put(&mut tx, event, dead_letters::WAITS).await?;
                    }
                }
                tx.commit().await?;
                return Ok(());
            }
            Err(error) if error.is_of_the_whole() => return Err(error),
            Err(error) => {
                tx.rollback().await?;
                refused = Some(error.to_string());
            }
        }
    }
    Ok(())
}
