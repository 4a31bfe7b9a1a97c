//! Differences between two generations of the read tables.

use std::fmt;

use sqlx::{Connection, PgPool};

use super::{Count, Progress, Stage};
use crate::ProjectorError;
use crate::generation::{Generation, GenerationConnection};
use crate::transactions::{take_snapshot, will_read};
use crate::{derived, tables};

/// Rows of one table that differ in the same way.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Difference {
    #[sqlx(skip)]
    pub table: &'static str,
    pub how: String,
    pub rows: i64,
    /// Key of one of them.
    pub example: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, how, rows, example } = self;
        write!(f, "{table}: {rows} {} {how}, as {example}", if *rows == 1 { "row" } else { "rows" })
    }
}

/// Compares every row of a generation with the live one, in one snapshot, both at the returned position. The projection
/// is held up while the generation catches up for the last time, and goes on during the comparison.
pub async fn find(
    pool: &PgPool,
    compared: &mut GenerationConnection,
    generation: Generation,
    progress: Progress<'_>,
) -> Result<(i64, Vec<Difference>), ProjectorError> {
    let mut snapshot = pool.acquire().await?.detach();
    let mut tx = snapshot.begin().await?;
    will_read(&mut tx).await?;
    let live = compared.live.clone();
    let position = compared
        .level(pool, async || {
            take_snapshot(&mut tx).await?;
            Ok(taskfold_event_log::projected_position(&mut *tx).await?)
        })
        .await?;
    let all = || tables::TABLES.iter().chain(derived::TABLES);
    let count = Count::new(Stage::Comparing, all().count() as u64, progress);
    let mut differences = Vec::new();
    for (table, key, _) in all() {
        let found: Vec<Difference> =
            sqlx::query_as(&comparison(&live, generation.schema(), table, key)).fetch_all(&mut *tx).await?;
        differences.extend(found.into_iter().map(|difference| Difference { table, ..difference }));
        count.add(1);
    }
    tx.rollback().await?;
    snapshot.close().await?;
    Ok((position, differences))
}

/// Query of the differences, seen from the live generation.
fn comparison(live: &str, other: &str, table: &str, key: &[&str]) -> String {
    // A column without cards may have a row, or none.
    let rows = if table == "column_counts" { "WHERE tasks <> 0" } else { "" };
    let keys = key.join(", ");
    format!(
        r#"
        SELECT how, count(*) AS rows, min(key) AS example
        FROM (
            SELECT concat_ws(' ', {keys}) AS key, CASE
                WHEN l.{first} IS NULL THEN 'only in the other generation'
                WHEN b.{first} IS NULL THEN 'not in the other generation'
                ELSE 'different in ' || (
                    SELECT string_agg(x.key, ', ' ORDER BY x.key)
                    FROM jsonb_each(to_jsonb(l)) x JOIN jsonb_each(to_jsonb(b)) y ON x.key = y.key
                    WHERE x.value <> y.value)
                END AS how
            FROM (SELECT * FROM {live}.{table} {rows}) l
            FULL JOIN (SELECT * FROM {other}.{table} {rows}) b USING ({keys})
            WHERE ROW(l.*) IS DISTINCT FROM ROW(b.*)) AS d
        GROUP BY how ORDER BY 2 DESC LIMIT 50
        "#,
        first = key[0],
    )
}
