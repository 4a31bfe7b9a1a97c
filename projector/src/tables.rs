use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::ProjectorError;
use crate::copy;
use crate::derived::Derived;
use crate::fold::WatcherHistory;
use crate::rows::{
    AttachmentRow, ChannelEventRow, CommentRow, Key, MemberRow, NotificationRow, PastMemberRow, PastProjectTeamRow,
    PastTeamMemberRow, ProjectRow, ProjectTeamRow, Row, TaskRow, TeamMemberRow, TeamRow,
};

/// Aggregates with a row that is none of ours, each with what is wrong with it.
pub type Unreadable = HashMap<Uuid, String>;

/// Rows of one table in memory: those a batch touches, or, for a fresh fold, all.
pub struct Rows<R: Row> {
    rows: HashMap<R::Key, R>,
    /// What was touched since the last `store`, as the table has it; none where it has no such row.
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

    /// What was touched: as the table has it, and as it is to be.
    pub fn changes(&self) -> impl Iterator<Item = (Option<&R>, Option<&R>)> {
        self.stored.iter().map(|(key, stored)| (stored.as_ref(), self.rows.get(key)))
    }

    /// Takes all rows out, whether they are stored or not.
    pub fn take(&mut self) -> Vec<R> {
        self.stored.clear();
        self.rows.drain().map(|(_, row)| row).collect()
    }

    /// Deletes the rows that the table has of one aggregate, whatever is in them: those whose keys begin with its id. Rows that are known by
    /// a position are written over when the event of that position is folded again.
    async fn delete_of(db: &mut PgConnection, aggregate: Uuid) -> sqlx::Result<()> {
        if R::Key::TYPES[0] == "uuid" {
            let sql = format!("DELETE FROM {} WHERE {} = $1", R::TABLE, R::KEY[0]);
            sqlx::query(&sql).bind(aggregate).execute(db).await?;
        }
        Ok(())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&R::Key, &R)> {
        self.rows.iter()
    }

    /// Reads the rows of these keys that are not here yet, and notes whose cannot be read.
    async fn load(
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

    /// Writes what was touched: one upsert for all that is there, one delete for all that is gone.
    pub async fn store(&mut self, db: &mut PgConnection) -> Result<(), ProjectorError> {
        let touched = self.stored.drain().map(|(key, _)| key);
        let (there, gone): (Vec<_>, Vec<_>) = touched.partition(|key| self.rows.contains_key(key));
        if !there.is_empty() {
            let rows: Vec<&R> = there.iter().filter_map(|key| self.rows.get(key)).collect();
            upsert(db, &rows).await?;
        }
        if !gone.is_empty() {
            delete::<R>(db, &gone).await?;
        }
        Ok(())
    }
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

/// Whether the row is one of those whose keys are given as one array a column.
fn is_one_of<R: Row>() -> String {
    let arrays = (1..).zip(R::Key::TYPES).map(|(nth, part)| format!("${nth}::{part}[]"));
    format!("({}) IN (SELECT * FROM unnest({}))", R::KEY.join(", "), listed(arrays))
}

/// Every read table once: what is done to all of them is done to a new one too.
macro_rules! tables {
    ($($field:ident: $row:ident),* $(,)?) => {
        /// All read tables in memory.
        #[derive(Default)]
        pub struct Tables {
            $(pub $field: Rows<$row>,)*
            /// Who watched which project when, where the rows of projects are not at hand.
            pub history: Option<Arc<WatcherHistory>>,
        }

        /// The rows that events touch.
        #[derive(Default)]
        pub struct Keys {
            $(pub $field: HashSet<<$row as Row>::Key>,)*
        }

        /// Each table's name with the columns of its key, and the version of its projection.
        pub const TABLES: &[(&str, &[&str], i32)] = &[$(($row::TABLE, $row::KEY, $row::VERSION)),*];

        impl Tables {
            /// Reads the rows of these keys. Answers whose cannot be read.
            pub async fn load(&mut self, db: &mut PgConnection, keys: &Keys) -> Result<Unreadable, ProjectorError> {
                let mut unreadable = Unreadable::new();
                $(self.$field.load(db, &keys.$field, &mut unreadable).await?;)*
                Ok(unreadable)
            }

            /// Writes what was touched, and what is derived of it.
            pub async fn store(&mut self, db: &mut PgConnection) -> Result<(), ProjectorError> {
                let derived = Derived::of(self);
                $(self.$field.store(db).await?;)*
                derived.store(db).await
            }

            /// Writes all rows into tables that have none of them, and keeps none. Nothing is derived.
            pub async fn copy(&mut self, db: &mut PgConnection) -> Result<(), ProjectorError> {
                $(copy::copy(db, &self.$field.take()).await?;)*
                Ok(())
            }

            /// Deletes what an earlier fold of one aggregate left in the tables.
            pub async fn delete_of(db: &mut PgConnection, aggregate: Uuid) -> sqlx::Result<()> {
                $(Rows::<$row>::delete_of(db, aggregate).await?;)*
                Ok(())
            }

            /// How many rows are in memory.
            pub fn rows(&self) -> usize {
                0 $(+ self.$field.rows.len())*
            }

            /// Each table's name and version with its rows, as JSON, in order.
            #[cfg(test)]
            pub fn dump(&self) -> Vec<(&'static str, i32, Vec<String>)> {
                vec![$({
                    let rows = self.$field.iter().map(|(_, row)| serde_json::to_string(row).unwrap_or_default());
                    let mut rows: Vec<String> = rows.collect();
                    rows.sort();
                    ($row::TABLE, $row::VERSION, rows)
                }),*]
            }

            /// Compares each table with what the database has.
            pub(crate) async fn compare(
                &self,
                db: &mut PgConnection,
                report: &mut crate::verify::Report,
            ) -> Result<(), ProjectorError> {
                $(crate::verify::compare(db, &self.$field, report).await?;)*
                Ok(())
            }
        }
    };
}

tables! {
    tasks: TaskRow,
    projects: ProjectRow,
    members: MemberRow,
    comments: CommentRow,
    attachments: AttachmentRow,
    teams: TeamRow,
    team_members: TeamMemberRow,
    project_teams: ProjectTeamRow,
    past_members: PastMemberRow,
    past_team_members: PastTeamMemberRow,
    past_project_teams: PastProjectTeamRow,
    channel_events: ChannelEventRow,
    notifications: NotificationRow,
}
