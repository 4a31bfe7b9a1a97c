//! Differences between the side tables and the log.

use std::collections::HashMap;
use std::fmt;

use sqlx::PgConnection;
use taskfold_domain::ids::TaskId;
use taskfold_domain::task::side_tables::{LinkKind, suspended_reminder};
use taskfold_event_log::StoredTime;
use uuid::Uuid;

use super::fold::{Due, Folded};
use crate::ProjectorError;

/// Maximum number of differences that are listed of a table.
pub(super) const MAX_LISTED: i64 = 1000;

/// A row, or the rows of one task, that disagree with the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub table: &'static str,
    pub wrong: Wrong,
    /// Key of the row.
    pub key: String,
    /// The task, for rows of tasks.
    pub task: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    Missing,
    Different,
    /// The log does not have it.
    Unexpected,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, key, wrong, .. } = self;
        match wrong {
            Wrong::Missing => write!(f, "{table}: {key} is missing"),
            Wrong::Different => write!(f, "{table}: {key} differs from the log"),
            Wrong::Unexpected => write!(f, "{table}: {key} exists, but the log does not have it"),
        }
    }
}

fn of_task(table: &'static str, wrong: Wrong, task: Uuid) -> Difference {
    Difference { table, wrong, key: format!("task {task}"), task: Some(task) }
}

/// Compares the rows of these tasks.
pub async fn tasks(db: &mut PgConnection, folded: &[Folded]) -> Result<Vec<Difference>, ProjectorError> {
    type StoredPlacement = (Uuid, Uuid, String, i16);
    let ids: Vec<Uuid> = folded.iter().map(|folded| folded.task).collect();
    let placements = sqlx::query!(
        "SELECT task_id, project_id, column_id, rank, state FROM task_places WHERE task_id = ANY ($1)",
        &ids,
    )
    .fetch_all(&mut *db)
    .await?;
    let placements: HashMap<Uuid, StoredPlacement> =
        placements.into_iter().map(|row| (row.task_id, (row.project_id, row.column_id, row.rank, row.state))).collect();
    let linked = sqlx::query!(
        r#"
        SELECT task_id, kind, target_id FROM task_links
        WHERE task_id = ANY ($1)
        ORDER BY task_id, kind, target_id
        "#,
        &ids,
    )
    .fetch_all(&mut *db)
    .await?;
    let mut links: HashMap<Uuid, Vec<(i16, Uuid)>> = HashMap::new();
    for link in linked {
        links.entry(link.task_id).or_default().push((link.kind, link.target_id));
    }
    let due =
        sqlx::query!(r#"SELECT task_id, at AS "at: StoredTime" FROM due_schedule WHERE task_id = ANY ($1)"#, &ids,)
            .fetch_all(db)
            .await?;
    let due: HashMap<Uuid, StoredTime> = due.into_iter().map(|row| (row.task_id, row.at)).collect();

    let mut differences = Vec::new();
    for folded in folded {
        let task = folded.task;
        let placement = &folded.placement;
        let expected = (folded.project, placement.column.0, placement.rank.as_str().to_owned(), placement.state as i16);
        match placements.get(&task) {
            None => differences.push(of_task("task_places", Wrong::Missing, task)),
            Some(stored) if *stored != expected => differences.push(of_task("task_places", Wrong::Different, task)),
            Some(_) => {}
        }
        let mut expected: Vec<(i16, Uuid)> = folded.links.iter().map(of_link).collect();
        expected.sort_unstable();
        if links.get(&task).map_or(&[][..], Vec::as_slice) != expected {
            differences.push(of_task("task_links", Wrong::Different, task));
        }
        let wrong = match (folded.due, due.get(&task).map(StoredTime::time)) {
            (Due::Never, None) | (Due::Perhaps(_), None) => None,
            (Due::At(at) | Due::Perhaps(at), Some(stored)) if at == stored => None,
            (Due::At(_) | Due::Perhaps(_), Some(stored)) if stored == suspended_reminder() => None,
            (Due::At(_), None) => Some(Wrong::Missing),
            (Due::Never, Some(_)) => Some(Wrong::Unexpected),
            (Due::At(_) | Due::Perhaps(_), Some(_)) => Some(Wrong::Different),
        };
        differences.extend(wrong.map(|wrong| of_task("due_schedule", wrong, task)));
    }
    Ok(differences)
}

pub fn of_link((kind, target): &(LinkKind, TaskId)) -> (i16, Uuid) {
    (*kind as i16, target.0)
}

/// Finds rows of tasks of which the log has no event.
pub async fn orphans(db: &mut PgConnection, limit: i64) -> Result<Vec<Difference>, ProjectorError> {
    let mut differences = Vec::new();
    for table in ["task_places", "task_links", "due_schedule"] {
        let tasks: Vec<Uuid> = sqlx::query_scalar(&format!(
            r#"
            SELECT DISTINCT task_id FROM {table} AS t
            WHERE NOT EXISTS (
                SELECT FROM events WHERE aggregate_type = 'task' AND aggregate_id = t.task_id::text AND sequence = 1)
            LIMIT $1
            "#
        ))
        .bind(limit)
        .fetch_all(&mut *db)
        .await?;
        differences.extend(tasks.into_iter().map(|task| of_task(table, Wrong::Unexpected, task)));
    }
    Ok(differences)
}

/// Commands as the log records them in their events: `fingerprint` is null where a release wrote them that left it out.
/// Metadata that we did not write counts as left out: PostgreSQL's functions for JSON would fail on some escapes, and
/// casts on other texts.
pub const COMMANDS_OF_LOG: &str = r#"
    SELECT actor_id, command_id, min(aggregate_id) AS aggregate_id, max(sequence) AS version,
           min(position) AS first_position, max(position) AS last_position,
           decode(max(substring(said ->> 'fingerprint' FROM '^(?:[0-9a-f]{2})*$')), 'hex') AS fingerprint,
           max(substring(said ->> 'created_id' FROM '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$'))::uuid AS created_id,
           coalesce(bool_or(said ->> 'created' = 'true'), false) AS created
    FROM (SELECT *, CASE WHEN strpos(metadata::text, '\') = 0 THEN metadata END AS said FROM events) AS e
    GROUP BY actor_id, command_id
"#;

/// Compares the commands of the log with the table. Commands without events are in no log, and left as they are.
pub async fn commands(db: &mut PgConnection) -> Result<Vec<Difference>, ProjectorError> {
    let found: Vec<(String, bool, bool)> = sqlx::query_as(&format!(
        r#"
        SELECT format('command %s of %s', command_id, actor_id), l.last_position IS NOT NULL,
               c.last_position IS NOT NULL
        FROM ({COMMANDS_OF_LOG}) AS l FULL JOIN commands c USING (actor_id, command_id)
        WHERE c.last_position IS NULL
           OR l.last_position IS NULL AND c.first_position <= c.last_position
           OR (l.aggregate_id, l.version, l.first_position, l.last_position) IS DISTINCT FROM
              (c.aggregate_id, c.version, c.first_position, c.last_position) AND l.last_position IS NOT NULL
           OR (l.fingerprint, l.created_id, l.created) IS DISTINCT FROM (c.fingerprint, c.created_id, c.created)
              AND l.fingerprint IS NOT NULL
        LIMIT $1
        "#
    ))
    .bind(MAX_LISTED)
    .fetch_all(db)
    .await?;
    let difference = |(key, logged, known)| {
        let wrong = match (logged, known) {
            (true, false) => Wrong::Missing,
            (false, _) => Wrong::Unexpected,
            (true, true) => Wrong::Different,
        };
        Difference { table: "commands", wrong, key, task: None }
    };
    Ok(found.into_iter().map(difference).collect())
}
