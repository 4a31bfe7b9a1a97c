//! Rows of read tables: their columns, their keys, and the version of the code that folds events into them.

use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;
use uuid::Uuid;

pub type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, PgArguments>;

/// A row of a read table. It is read as a JSON record, and written with all others of a batch as one array per column.
pub trait Row: Clone + PartialEq + Serialize + DeserializeOwned + Unpin + Send + 'static {
    type Key: Key;
    const TABLE: &'static str;
    /// Version of the fold, raised when the same events produce different rows: the table is then rebuilt (see
    /// [`crate::versions`]).
    const VERSION: i32;
    /// Digest of the rows that the frozen events produce.
    #[cfg(test)]
    const DIGEST: &'static str;
    /// Name of each column, and the type it is cast to in PostgreSQL where it is sent as text.
    const COLUMNS: &'static [(&'static str, Option<&'static str>)];
    /// Columns of the key.
    const KEY: &'static [&'static str];
    fn key(&self) -> Self::Key;
    /// Binds an array for each of `COLUMNS`.
    fn bind<'q>(rows: &[&'q Self], query: Query<'q>) -> Query<'q>;
}

/// Key of a row.
pub trait Key: Clone + Eq + Hash + Ord + std::fmt::Debug + Send + Sync {
    /// Type of each column in PostgreSQL.
    const TYPES: &'static [&'static str];
    /// Arguments of a query: an array for each column.
    fn arrays(keys: &[&Self]) -> sqlx::Result<PgArguments>;
}

/// Keys of one column, and of several.
macro_rules! keys {
    ($($key:ty: $([$($part:tt)*] is $type:literal),+;)*) => {$(
        impl Key for $key {
            const TYPES: &'static [&'static str] = &[$($type),+];
            fn arrays(keys: &[&Self]) -> sqlx::Result<PgArguments> {
                let mut arrays = PgArguments::default();
                $(arrays.add(keys.iter().map(|key| key$($part)*).collect::<Vec<_>>()).map_err(sqlx::Error::Encode)?;)+
                Ok(arrays)
            }
        }
    )*};
}
keys! {
    Uuid: [.to_owned()] is "uuid";
    i64: [.to_owned()] is "bigint";
    (Uuid, Uuid): [.0] is "uuid", [.1] is "uuid";
    (Uuid, Uuid, i64): [.0] is "uuid", [.1] is "uuid", [.2] is "bigint";
}

/// Defines a struct for each read table, whose fields are the table's columns. A struct of the domain may be embedded
/// `with` its fields as further columns.
macro_rules! rows {
    ($($(#[$doc:meta])* pub struct $row:ident in $table:literal version $version:literal digest $digest:literal
        by ($($id:ident),*): $key:ty {
        $($(#[$column_doc:meta])* pub $column:ident: $field:ty,)*
    } $(with pub $embedded:ident: $Embedded:ident {
        $($inner:ident: $inner_field:ty,)*
    })?)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $row {
            $($(#[$column_doc])* pub $column: $field,)*
            $(pub $embedded: $Embedded,)?
        }

        impl serde::Serialize for $row {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                $(map.serialize_entry(stringify!($column), &self.$column)?;)*
                $($(map.serialize_entry(stringify!($inner), &self.$embedded.$inner)?;)*)?
                map.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $row {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                struct Columns {
                    $($column: $field,)*
                    $($($inner: $inner_field,)*)?
                }
                let columns = Columns::deserialize(deserializer)?;
                Ok(Self {
                    $($column: columns.$column,)*
                    $($embedded: $Embedded { $($inner: columns.$inner,)* },)?
                })
            }
        }

        impl $crate::row::Row for $row {
            type Key = $key;
            const TABLE: &'static str = $table;
            const VERSION: i32 = $version;
            #[cfg(test)]
            const DIGEST: &'static str = $digest;
            const COLUMNS: &'static [(&'static str, Option<&'static str>)] = &[
                $((stringify!($column), <$field as $crate::field::Field>::BECOMES),)*
                $($((stringify!($inner), <$inner_field as $crate::field::Field>::BECOMES),)*)?
            ];
            const KEY: &'static [&'static str] = &[$(stringify!($id)),*];
            fn key(&self) -> $key {
                ($(self.$id),*)
            }
            fn bind<'q>(rows: &[&'q Self], query: $crate::row::Query<'q>) -> $crate::row::Query<'q> {
                use $crate::field::Field as _;
                query
                    $(.bind(rows.iter().map(|row| row.$column.sent()).collect::<Vec<_>>()))*
                    $($(.bind(rows.iter().map(|row| row.$embedded.$inner.sent()).collect::<Vec<_>>()))*)?
            }
        }
    )*};
}
pub(crate) use rows;
