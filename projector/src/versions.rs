//! Version of the code that wrote each read table. What another version has written is rebuilt from the log before
//! anything is projected into it: a table is never half of the one and half of the other.

use std::collections::BTreeMap;

use sqlx::PgPool;
use sqlx::types::Json;

use crate::{derived, tables};

/// Versions by table.
pub type Versions = BTreeMap<String, i32>;

/// Origin of the tables in the database.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    /// This version wrote all.
    Current,
    /// An earlier version wrote these.
    Before(Vec<String>),
    /// A later version wrote these: this program must leave them alone.
    Later(Vec<String>),
}

/// Versions of this program.
pub fn ours() -> Versions {
    let all = tables::TABLES.iter().chain(derived::TABLES);
    all.map(|(table, _, version)| ((*table).to_owned(), *version)).collect()
}

/// Compares the versions in the database with ours.
pub async fn written(pool: &PgPool) -> sqlx::Result<Written> {
    let Json(stored) =
        sqlx::query_scalar!(r#"SELECT versions AS "versions: Json<Versions>" FROM projection_checkpoint"#)
            .fetch_one(pool)
            .await?;
    Ok(compare(&stored, &ours()))
}

fn compare(stored: &Versions, ours: &Versions) -> Written {
    let ahead = |a: &Versions, b: &Versions| -> Vec<String> {
        a.iter().filter(|(table, version)| b.get(*table) < Some(version)).map(|(table, _)| table.clone()).collect()
    };
    let (later, before) = (ahead(stored, ours), ahead(ours, stored));
    match (later.is_empty(), before.is_empty()) {
        (true, true) => Written::Current,
        (false, _) => Written::Later(later),
        (true, false) => Written::Before(before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoded::Decoded;
    use crate::tables::{Projection, Tables};
    use crate::testing::{digest, logged};

    /// Digests of the rows of each table after the frozen events. When this fails, the same events produce different
    /// rows than before: raise the version of the row, so that existing tables are rebuilt, and change the digest.
    /// After adding a frozen event, change only the digest.
    #[test]
    fn different_rows_need_a_different_version() {
        let mut tables = Tables::default();
        let mut history: BTreeMap<Projection, String> = BTreeMap::new();
        for (position, line) in (1..).zip(include_str!("../../tests/it/frozen.jsonl").lines()) {
            let event = logged(position, &serde_json::from_str(line).unwrap_or_default());
            let decoded = Decoded::new(&event).unwrap_or_else(|e| panic!("{line}: {e}"));
            // Not all have what they are about in these rows.
            let _ = tables.apply(&decoded);
            for (projection, rows) in tables.dump() {
                history.entry(projection).or_default().push_str(&rows.join("\n"));
            }
        }
        let mut changed = Vec::new();
        for (projection, rows) in history {
            assert!(!rows.is_empty(), "{} has no rows: freeze an event that comes to one", projection.table);
            let now = digest(&rows);
            if now != projection.digest {
                changed.push(format!("{} {}: {now}", projection.table, projection.version));
            }
        }
        assert_eq!(changed, Vec::<String>::new());
    }

    #[test]
    fn missing_versions_are_earlier_and_unknown_ones_are_later() {
        let versions = |of: &[(&str, i32)]| of.iter().map(|(t, v)| ((*t).to_owned(), *v)).collect::<Versions>();
        let ours = versions(&[("a", 2), ("b", 1)]);
        assert_eq!(compare(&ours, &ours), Written::Current);
        assert_eq!(compare(&versions(&[("a", 1)]), &ours), Written::Before(vec!["a".into(), "b".into()]));
        assert_eq!(compare(&versions(&[("a", 3), ("b", 0)]), &ours), Written::Later(vec!["a".into()]));
        assert_eq!(compare(&versions(&[("a", 2), ("b", 1), ("c", 1)]), &ours), Written::Later(vec!["c".into()]));
    }
}
