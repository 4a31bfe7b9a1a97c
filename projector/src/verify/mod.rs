//! Proof that log, stream and read tables agree, beside a running system: everything is compared up to one position,
//! read in one snapshot.

/// Checks of the side tables of the append, and that each event follows from those before it.
mod append;
/// Comparison of the stream with the log.
mod stream;

use std::fmt;

use sqlx::{Connection, PgConnection, PgPool};
use taskfold_domain::Timestamp;

use crate::ProjectorError;
use crate::decoded::Decoded;
use crate::tables::Tables;
use crate::transactions::{take_snapshot, will_read};

const PAGE: i64 = 5000;
/// Maximum of faults that are listed; beyond it they are counted.
const NAMED: usize = 50;

/// Findings.
#[derive(Debug, Default)]
pub struct Report {
    /// Events in the log.
    pub events: i64,
    /// Position up to which the read tables were compared.
    pub projected: i64,
    /// Position up to which the stream was compared.
    pub published: i64,
    pub rows: usize,
    /// Tasks whose placements, links and reminders were compared.
    pub tasks: usize,
    pub faults: Vec<String>,
    pub more_faults: usize,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    fn count(&self) -> usize {
        self.faults.len() + self.more_faults
    }

    fn fault(&mut self, fault: String) {
        if self.faults.len() < NAMED {
            self.faults.push(fault);
        } else {
            self.more_faults += 1;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "log: {} events", self.events)?;
        writeln!(f, "read tables: {} rows, compared at position {}", self.rows, self.projected)?;
        writeln!(f, "append: {} tasks, compared at position {}", self.tasks, self.events)?;
        writeln!(f, "stream: compared up to {}", self.published)?;
        for fault in &self.faults {
            writeln!(f, "FAULT {fault}")?;
        }
        if self.more_faults > 0 {
            writeln!(f, "and {} more", self.more_faults)?;
        }
        write!(f, "{}", if self.is_clean() { "all agree" } else { "they do not agree" })
    }
}

/// Compares everything. Without `nats` the stream is left out.
pub async fn verify(pool: &PgPool, nats: Option<(&async_nats::Client, &str)>) -> Result<Report, ProjectorError> {
    let mut report = Report::default();
    let mut db = pool.acquire().await?;
    let mut tx = db.begin().await?;
    will_read(&mut tx).await?;
    take_snapshot(&mut tx).await?;
    report.events = taskfold_event_log::head(&mut *tx).await?;
    report.projected = taskfold_event_log::projected_position(&mut *tx).await?;
    if report.projected > report.events {
        report.fault(format!("checkpoint: {} is beyond the log's head {}", report.projected, report.events));
    }
    check_numbers(&mut tx, &mut report).await?;
    check_identities(&mut tx, &mut report).await?;
    check_rows(&mut tx, &mut report).await?;
    append::check(&mut tx, &mut report).await?;
    check_access(&mut tx, &mut report).await?;
    // An open snapshot keeps PostgreSQL from vacuuming, and the stream may take long. Its check takes a connection of
    // its own: one that is held beside it could be the last of a small pool.
    tx.rollback().await?;
    drop(db);
    if let Some((nats, name)) = nats {
        stream::check(pool, nats, name, &mut report).await?;
    }
    Ok(report)
}

/// Checks that positions are dense from 1 to the head, and versions dense in each aggregate, in the same order.
async fn check_numbers(db: &mut PgConnection, report: &mut Report) -> Result<(), ProjectorError> {
    let numbers = sqlx::query!(
        r#"
        SELECT count(*) AS "count!", coalesce(min(position), 1) AS "first!", coalesce(max(position), 0) AS "last!"
        FROM events
        "#
    )
    .fetch_one(&mut *db)
    .await?;
    let (count, first, last) = (numbers.count, numbers.first, numbers.last);
    if last != report.events {
        report.fault(format!("log: the head says {}, the last event is at {last}", report.events));
    }
    if first != 1 || count != last {
        report.fault(format!("log: {count} events from {first} to {last}"));
        let gaps = sqlx::query!(
            r#"
            SELECT before + 1 AS "first!", position - 1 AS "last!"
            FROM (SELECT position, lag(position, 1, 0::bigint) OVER (ORDER BY position) AS before FROM events) AS e
            WHERE position <> before + 1
            ORDER BY position LIMIT 20
            "#
        )
        .fetch_all(&mut *db)
        .await?;
        for gap in gaps {
            report.fault(format!("log: positions {} to {} are missing", gap.first, gap.last));
        }
    }
    let broken = sqlx::query!(
        r#"
        SELECT aggregate_type AS kind, aggregate_id AS id, sequence AS version, position
        FROM (
            SELECT *, row_number() OVER (PARTITION BY aggregate_type, aggregate_id ORDER BY position) AS expected
            FROM events) AS e
        WHERE sequence <> expected
        ORDER BY position LIMIT 100
        "#
    )
    .fetch_all(&mut *db)
    .await?;
    for event in broken {
        report.fault(format!(
            "log: {} {} has version {} at position {}, out of its order",
            event.kind, event.id, event.version, event.position
        ));
    }
    Ok(())
}

/// Checks that adoptions are numbered without gaps, each at a position that the log has, and that times are such as the
/// append writes.
async fn check_identities(db: &mut PgConnection, report: &mut Report) -> Result<(), ProjectorError> {
    let identities =
        sqlx::query!("SELECT epoch, fork_position FROM log_identities ORDER BY epoch").fetch_all(&mut *db).await?;
    if identities.is_empty() {
        report.fault("log_identities: the log has no identity".to_owned());
    }
    for (expected, identity) in (0..).zip(identities) {
        let epoch = identity.epoch;
        if epoch != expected {
            report.fault(format!("log_identities: found epoch {epoch} where {expected} was expected"));
        }
        if identity.fork_position.is_some_and(|fork| !(0..=report.events).contains(&fork)) {
            report.fault(format!("log_identities: epoch {epoch} forks at a position that the log does not have"));
        }
    }
    let untimely = sqlx::query_scalar!(
        r#"
        SELECT position FROM events
        WHERE recorded_at NOT BETWEEN $1 AND $2 OR occurred_at NOT BETWEEN $1 AND $2
        ORDER BY position LIMIT 100
        "#,
        Timestamp::from_micros(i64::MIN).utc(),
        Timestamp::from_micros(i64::MAX).utc(),
    )
    .fetch_all(db)
    .await?;
    for position in untimely {
        report.fault(format!("log: position {position} has a time beyond the years 0001 to 9999"));
    }
    Ok(())
}

/// Checks that roles, grants and policies are those of `migrations/access.sql`.
async fn check_access(db: &mut PgConnection, report: &mut Report) -> Result<(), ProjectorError> {
    let differences = sqlx::query_scalar!(r#"SELECT difference AS "difference!" FROM taskfold_access_differences()"#)
        .fetch_all(db)
        .await?;
    differences.into_iter().for_each(|difference| report.fault(format!("access: {difference}")));
    Ok(())
}

/// Checks that each read table equals a fresh fold of the log.
async fn check_rows(db: &mut PgConnection, report: &mut Report) -> Result<(), ProjectorError> {
    let mut tables = Tables::default();
    let mut position = 0;
    while position < report.projected {
        let last = report.projected.min(position + PAGE);
        for event in taskfold_event_log::page_between(&mut *db, position + 1, last).await? {
            let applied = Decoded::new(&event)
                .map_err(|e| e.to_string())
                .and_then(|decoded| tables.apply(&decoded).map_err(|e| e.to_string()));
            if let Err(reason) = applied {
                report.fault(format!("log: position {} cannot be folded: {reason}", event.position));
            }
        }
        position = last;
    }
    report.rows += tables.compare(db, &mut |fault| report.fault(fault)).await?;
    check_derived(db, report).await?;
    let dead_letters =
        sqlx::query!("SELECT position, reason FROM set_aside_events ORDER BY position LIMIT 100").fetch_all(db).await?;
    for letter in dead_letters {
        report.fault(format!("dead letter: position {}: {}", letter.position, letter.reason));
    }
    Ok(())
}

/// Recomputes the derived tables, and reports the keys of rows that differ.
async fn check_derived(db: &mut PgConnection, report: &mut Report) -> Result<(), ProjectorError> {
    let task_documents = sqlx::query_scalar!(
        r#"
        SELECT coalesce(t.task_id, d.task_id) AS "id!"
        FROM (SELECT * FROM tasks WHERE NOT deleted) t FULL JOIN task_documents d ON d.task_id = t.task_id
        WHERE (d.project_id, d.archived, d.created_at, d.document) IS DISTINCT FROM
              (t.project_id, t.archived, t.created_at, taskfold_task_document(t.title, t.description, t.label_ids))
        LIMIT 100
        "#
    )
    .fetch_all(&mut *db)
    .await?;
    let label_documents = sqlx::query_scalar!(
        r#"
        SELECT coalesce(l.label_id, d.label_id) AS "id!"
        FROM (
            SELECT project_id, (label ->> 'id')::uuid AS label_id,
                   to_tsvector('pg_catalog.simple', label ->> 'name') AS document
            FROM projects, jsonb_array_elements(labels) AS label) l
        FULL JOIN label_documents d ON (d.project_id, d.label_id) = (l.project_id, l.label_id)
        WHERE d.document IS DISTINCT FROM l.document
        LIMIT 100
        "#
    )
    .fetch_all(&mut *db)
    .await?;
    let column_counts = sqlx::query_scalar!(
        r#"
        SELECT coalesce(t.column_id, c.column_id) AS "id!"
        FROM (
            SELECT project_id, column_id, count(*) AS tasks FROM tasks
            WHERE NOT archived AND NOT deleted GROUP BY project_id, column_id) t
        FULL JOIN column_counts c ON (c.project_id, c.column_id) = (t.project_id, t.column_id)
        WHERE coalesce(c.tasks, 0) <> coalesce(t.tasks, 0)
        LIMIT 100
        "#
    )
    .fetch_all(db)
    .await?;
    for (table, ids) in
        [("task_documents", task_documents), ("label_documents", label_documents), ("column_counts", column_counts)]
    {
        for id in ids {
            report.fault(format!("{table}: {id} differs from the other read tables"));
        }
    }
    Ok(())
}
