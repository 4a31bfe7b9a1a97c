//! Which version of the code wrote each read table. What another version has written is made anew from the log before anything is
//! projected into it: a table is never half of the one and half of the other.

use std::collections::BTreeMap;

use sqlx::PgPool;
use sqlx::types::Json;

use crate::{derived, tables};

/// By table.
pub type Versions = BTreeMap<String, i32>;

/// What the tables in the database are to this program.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    /// By this version.
    Current,
    /// These by an earlier one.
    Before(Vec<String>),
    /// These by a later one: this program must leave them alone.
    Later(Vec<String>),
}

/// Of this program.
pub fn ours() -> Versions {
    let all = tables::TABLES.iter().chain(derived::TABLES);
    all.map(|(table, _, version)| ((*table).to_owned(), *version)).collect()
}

/// Looks into the database.
pub async fn written(pool: &PgPool) -> sqlx::Result<Written> {
    let Json(stored) =
        sqlx::query_scalar::<_, Json<Versions>>("SELECT versions FROM projection_checkpoint").fetch_one(pool).await?;
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

    #[test]
    fn what_is_missing_is_earlier_and_what_is_unknown_is_later() {
        let versions = |of: &[(&str, i32)]| of.iter().map(|(t, v)| ((*t).to_owned(), *v)).collect::<Versions>();
        let ours = versions(&[("a", 2), ("b", 1)]);
        assert_eq!(compare(&ours, &ours), Written::Current);
        assert_eq!(compare(&versions(&[("a", 1)]), &ours), Written::Before(vec!["a".into(), "b".into()]));
        assert_eq!(compare(&versions(&[("a", 3), ("b", 0)]), &ours), Written::Later(vec!["a".into()]));
        assert_eq!(compare(&versions(&[("a", 2), ("b", 1), ("c", 1)]), &ours), Written::Later(vec!["c".into()]));
    }
}
