//! Rows of one read table, in memory: loaded, changed, written back, and compared with the table.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::StreamExt;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::ProjectorError;
use crate::copy;
use crate::row::{Key, Row};

/// Aggregates with a row that cannot be read, each with the reason.
pub type Unreadable = HashMap<Uuid, String>;

/// Rows of one table: those a batch modifies, or, in a fresh fold, all.
pub struct Rows<R: Row> {
    rows: HashMap<R::Key, R>,
    /// Pre-images of the rows modified since the last flush; `None` for inserts.
    stored: HashMap<R::Key, Option<R>>,
}

impl<R: Row> Default for Rows<R> {
    fn default() -> Self {
        Self { rows: HashMap::new(), stored: HashMap::new() }
    }
}

impl<R: Row> Rows<R> {
    pub fn get(&self, key: &R::Key) -> Option<&R> {
        self.rows.get(key)
    }

    pub fn get_mut(&mut self, key: &R::Key) -> Option<&mut R> {
        let row = self.rows.get_mut(key)?;
        self.stored.entry(key.clone()).or_insert_with(|| Some(row.clone()));
        Some(row)
    }

    pub fn put(&mut self, row: R) {
        let key = row.key();
        let was = self.rows.insert(key.clone(), row);
        self.stored.entry(key).or_insert(was);
    }

    pub fn remove(&mut self, key: &R::Key) {
        let was = self.rows.remove(key);
        self.stored.entry(key.clone()).or_insert(was);
    }

    /// Modified rows, before and after.
    pub fn changes(&self) -> impl Iterator<Item = (Option<&R>, Option<&R>)> {
        self.stored.iter().map(|(key, stored)| (stored.as_ref(), self.rows.get(key)))
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Copies all rows into a table that has none of them, and keeps none.
    pub async fn copy(&mut self, db: &mut PgConnection) -> Result<(), ProjectorError> {
        self.stored.clear();
        let rows: Vec<R> = self.rows.drain().map(|(_, row)| row).collect();
        copy::copy(db, &rows).await
    }

    /// Deletes the rows that the table has of one aggregate, whatever is in them: those whose keys begin with its id.
    /// Rows with a position as key are overwritten when the event of that position is folded again.
    pub async fn delete_of(db: &mut PgConnection, aggregate: Uuid) -> sqlx::Result<()> {
        if R::Key::TYPES[0] == "uuid" {
            let sql = format!("DELETE FROM {} WHERE {} = $1", R::TABLE, R::KEY[0]);
            sqlx::query(&sql).bind(aggregate).execute(db).await?;
        }
        Ok(())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&R::Key, &R)> {
        self.rows.iter()
    }

    /// Loads the rows of these keys that are not here yet, and notes those that cannot be read.
    pub async fn load(
        &mut self,
        db: &mut PgConnection,
        keys: &HashSet<R::Key>,
        unreadable: &mut Unreadable,
    ) -> Result<(), ProjectorError> {
        let missing: Vec<&R::Key> = keys.iter().filter(|key| !self.rows.contains_key(key)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let sql =
            format!("SELECT {}::text, to_jsonb(t)::text FROM {} t WHERE {}", R::KEY[0], R::TABLE, is_one_of::<R>());
        let keys = R::Key::arrays(&missing)?;
        for (aggregate, json) in sqlx::query_as_with::<_, (String, String), _>(&sql, keys).fetch_all(db).await? {
            match serde_json::from_str::<R>(&json) {
                Ok(row) => {
                    self.rows.insert(row.key(), row);
                }
                Err(error) => {
                    let reason = format!("its row in {} cannot be read: {error}", R::TABLE);
                    unreadable.extend(aggregate.parse().ok().map(|id: Uuid| (id, reason)));
                }
            }
        }
        Ok(())
    }

    /// Writes the modified rows back: one upsert for those that exist, one delete for those that were removed.
    pub async fn flush(&mut self, db: &mut PgConnection) -> Result<(), ProjectorError> {
        let modified = self.stored.drain().map(|(key, _)| key);
        let (present, removed): (Vec<_>, Vec<_>) = modified.partition(|key| self.rows.contains_key(key));
        if !present.is_empty() {
            let rows: Vec<&R> = present.iter().filter_map(|key| self.rows.get(key)).collect();
            upsert(db, &rows).await?;
        }
        if !removed.is_empty() {
            delete::<R>(db, &removed).await?;
        }
        Ok(())
    }

    /// Compares all rows with the table, and reports each difference. Returns how many rows the table has.
    pub async fn compare(
        &self,
        db: &mut PgConnection,
        report: &mut (dyn FnMut(String) + Send),
    ) -> Result<usize, ProjectorError> {
        let mut expected: BTreeMap<R::Key, &R> = self.iter().map(|(key, row)| (key.clone(), row)).collect();
        let mut count = 0;
        let sql = format!("SELECT to_jsonb(t) FROM {} t", R::TABLE);
        let mut stored = sqlx::query_scalar::<_, Json<Value>>(&sql).fetch(db);
        while let Some(row) = stored.next().await {
            let Json(json) = row?;
            let row: R = match serde_json::from_value(json.clone()) {
                Ok(row) => row,
                Err(error) => {
                    report(format!("{}: a row that cannot be read: {error}: {json}", R::TABLE));
                    continue;
                }
            };
            count += 1;
            match expected.remove(&row.key()) {
                None => report(format!("{}: {:?} exists, but the log does not have it", R::TABLE, row.key())),
                Some(folded) if *folded != row => {
                    let fields = differing_fields(folded, &row)?;
                    report(format!("{}: {:?} differs from the log in {fields}", R::TABLE, row.key()));
                }
                Some(_) => {}
            }
        }
        for key in expected.keys() {
            report(format!("{}: {key:?} is missing", R::TABLE));
        }
        Ok(count)
    }
}

fn differing_fields<R: Row>(folded: &R, stored: &R) -> Result<String, ProjectorError> {
    let (folded, stored) = (serde_json::to_value(folded)?, serde_json::to_value(stored)?);
    let fields: Vec<&str> = folded
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| stored.get(name) != Some(value))
        .map(|(name, _)| name.as_str())
        .collect();
    Ok(fields.join(", "))
}

async fn upsert<R: Row>(db: &mut PgConnection, rows: &[&R]) -> Result<(), ProjectorError> {
    let columns: Vec<&str> = R::COLUMNS.iter().map(|(column, _)| *column).collect();
    // Lists in one SELECT go on together, and are not put into a table first as those of a FROM are.
    let unnested = (1..).zip(&columns).map(|(nth, column)| format!("unnest(${nth}) AS {column}"));
    let values = R::COLUMNS.iter().map(|(column, becomes)| match becomes {
        Some(becomes) => format!("{column}::{becomes}"),
        None => (*column).to_owned(),
    });
    let others = columns.iter().filter(|column| !R::KEY.contains(column));
    let sql = format!(
        "INSERT INTO {} ({}) SELECT {} FROM (SELECT {}) AS sent ON CONFLICT ({}) DO UPDATE SET {}",
        R::TABLE,
        columns.join(", "),
        listed(values),
        listed(unnested),
        R::KEY.join(", "),
        listed(others.map(|column| format!("{column} = excluded.{column}"))),
    );
    R::bind(rows, sqlx::query(&sql)).execute(db).await?;
    Ok(())
}

fn listed(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

async fn delete<R: Row>(db: &mut PgConnection, keys: &[R::Key]) -> Result<(), ProjectorError> {
    let sql = format!("DELETE FROM {} WHERE {}", R::TABLE, is_one_of::<R>());
    let keys = R::Key::arrays(&keys.iter().collect::<Vec<_>>())?;
    sqlx::query_with(&sql, keys).execute(db).await?;
    Ok(())
}

/// Condition that the row has one of the keys that are given as one array per column.
fn is_one_of<R: Row>() -> String {
    let arrays = (1..).zip(R::Key::TYPES).map(|(nth, part)| format!("${nth}::{part}[]"));
    format!("({}) IN (SELECT * FROM unnest({}))", R::KEY.join(", "), listed(arrays))
}
