use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use taskfold_domain::project::{Board, Column, Label, SavedFilter};
use taskfold_domain::task::Checklist;
use uuid::Uuid;

use crate::ProjectorError;
use crate::copy::{self, Arrays};
use crate::derived::Derived;
use crate::fold::WatcherHistory;

/// A row of a read table. Field names are column names: rows travel as JSON records, a whole batch in one statement.
pub trait Row: Clone + PartialEq + Serialize + DeserializeOwned + Unpin + Send + 'static {
    type Key: Clone + Eq + Hash + Ord + std::fmt::Debug + Send + Sync;
    const TABLE: &'static str;
    /// To be raised when the same events come to other rows: the table is then made anew (see [`crate::versions`]).
    const VERSION: i32;
    const KEY: &'static [&'static str];
    fn key(&self) -> Self::Key;
    /// The key's columns, in the order of `KEY`.
    fn ids(key: &Self::Key) -> Vec<Uuid>;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRow {
    pub task_id: Uuid,
    pub project_id: Uuid,
    pub title: String,
    pub description: String,
    pub status: taskfold_domain::task::Status,
    pub running_since: Option<DateTime<Utc>>,
    pub elapsed_ms: u64,
    pub reason: Option<String>,
    pub progress: Option<u32>,
    pub column_id: Uuid,
    pub rank: String,
    pub priority: taskfold_domain::task::events::Priority,
    pub assignee_ids: Vec<Uuid>,
    pub label_ids: Vec<Uuid>,
    pub start_at: Option<DateTime<Utc>>,
    pub due_at: Option<DateTime<Utc>>,
    pub estimate_minutes: Option<u32>,
    pub parent_id: Option<Uuid>,
    pub archived: bool,
    pub deleted: bool,
    pub deleted_at: Option<DateTime<Utc>>,
    pub deleted_by: Option<Uuid>,
    pub checklists: Vec<Checklist>,
    pub comment_count: u32,
    pub attachment_count: u32,
    pub dependency_ids: Vec<Uuid>,
    pub watcher_ids: Vec<Uuid>,
    pub due_stage: Option<taskfold_domain::task::events::DueStage>,
    pub created_at: DateTime<Utc>,
    pub created_by: Uuid,
    pub updated_at: DateTime<Utc>,
    pub version: i64,
    pub position: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectRow {
    pub project_id: Uuid,
    pub name: String,
    pub description: String,
    pub columns: Vec<Column>,
    pub labels: Vec<Label>,
    pub watcher_ids: Vec<Uuid>,
    pub filters: Vec<SavedFilter>,
    pub archived: bool,
    pub created_at: DateTime<Utc>,
    pub created_by: Uuid,
    pub updated_at: DateTime<Utc>,
    pub version: i64,
    pub position: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberRow {
    pub project_id: Uuid,
    pub user_id: Uuid,
    pub role: taskfold_domain::Role,
    pub position: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommentRow {
    pub task_id: Uuid,
    pub comment_id: Uuid,
    pub project_id: Uuid,
    pub author_id: Uuid,
    pub text: String,
    pub mentions: Vec<Uuid>,
    pub created_at: DateTime<Utc>,
    pub edited_at: Option<DateTime<Utc>>,
    pub reactions: Vec<ReactionOf>,
    pub position: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttachmentRow {
    pub task_id: Uuid,
    pub attachment_id: Uuid,
    pub project_id: Uuid,
    pub author_id: Uuid,
    pub file_name: String,
    pub content_type: String,
    pub size: u64,
    pub sha256: String,
    pub created_at: DateTime<Utc>,
    pub position: i64,
}

/// A reaction, in the row of its comment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReactionOf {
    pub emoji: String,
    pub user_id: Uuid,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TeamRow {
    pub team_id: Uuid,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub created_by: Uuid,
    pub version: i64,
    pub position: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TeamMemberRow {
    pub team_id: Uuid,
    pub user_id: Uuid,
    pub role: taskfold_domain::team::TeamRole,
    pub position: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectTeamRow {
    pub project_id: Uuid,
    pub team_id: Uuid,
    pub role: taskfold_domain::Role,
    pub position: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotificationRow {
    pub notification_id: Uuid,
    pub user_id: Uuid,
    pub position: i64,
    pub kind: NotificationKind,
    pub project_id: Uuid,
    pub task_id: Uuid,
    pub comment_id: Option<Uuid>,
    pub actor_id: Uuid,
    pub occurred_at: DateTime<Utc>,
}

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    Created,
    Assigned,
    Mentioned,
    Commented,
    Completed,
    DueSoon,
    Overdue,
}

macro_rules! rows {
    ($($row:ident in $table:literal version $version:literal by $key:ty: $($column:ident),* => |$k:ident| $ids:expr;)*) => {$(
        impl Row for $row {
            type Key = $key;
            const TABLE: &'static str = $table;
            const VERSION: i32 = $version;
            const KEY: &'static [&'static str] = &[$(stringify!($column)),*];
            fn key(&self) -> $key {
                ($(self.$column),*)
            }
            fn ids($k: &$key) -> Vec<Uuid> {
                $ids
            }
        }
    )*};
}

rows! {
    TaskRow in "tasks" version 1 by Uuid: task_id => |key| vec![*key];
    ProjectRow in "projects" version 1 by Uuid: project_id => |key| vec![*key];
    MemberRow in "project_members" version 1 by (Uuid, Uuid): project_id, user_id => |key| vec![key.0, key.1];
    CommentRow in "comments" version 1 by (Uuid, Uuid): task_id, comment_id => |key| vec![key.0, key.1];
    AttachmentRow in "attachments" version 1 by (Uuid, Uuid): task_id, attachment_id => |key| vec![key.0, key.1];
    TeamRow in "teams" version 1 by Uuid: team_id => |key| vec![*key];
    TeamMemberRow in "team_members" version 1 by (Uuid, Uuid): team_id, user_id => |key| vec![key.0, key.1];
    ProjectTeamRow in "project_teams" version 1 by (Uuid, Uuid): project_id, team_id => |key| vec![key.0, key.1];
    NotificationRow in "notifications" version 1 by Uuid: notification_id => |key| vec![*key];
}

impl ProjectRow {
    /// The columns and labels as the domain's own fold keeps them, to apply an event in its words.
    pub fn board(&self) -> Board {
        Board {
            id: self.project_id.into(),
            name: self.name.clone(),
            description: self.description.clone(),
            columns: self.columns.clone(),
            labels: self.labels.clone(),
            members: Vec::new(),
            archived: self.archived,
            teams: Vec::new(),
            watchers: self.watcher_ids.iter().map(|id| (*id).into()).collect(),
            filters: self.filters.clone(),
        }
    }
}

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

    /// Removes the rows that the table has of one aggregate: those whose keys begin with its id.
    async fn remove_of(&mut self, db: &mut PgConnection, aggregate: Uuid) -> Result<(), ProjectorError> {
        let sql = format!("SELECT to_jsonb(t) FROM {} t WHERE {} = $1", R::TABLE, R::KEY[0]);
        for Json(row) in sqlx::query_scalar::<_, Json<R>>(&sql).bind(aggregate).fetch_all(db).await? {
            self.stored.insert(row.key(), Some(row));
        }
        Ok(())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&R::Key, &R)> {
        self.rows.iter()
    }

    /// Reads the rows of these keys that are not here yet.
    pub async fn load(&mut self, db: &mut PgConnection, keys: &HashSet<R::Key>) -> Result<(), ProjectorError> {
        let missing: Vec<&R::Key> = keys.iter().filter(|key| !self.rows.contains_key(key)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let columns = R::KEY.join(", ");
        let unnested: Vec<String> = (1..=R::KEY.len()).map(|i| format!("${i}::uuid[]")).collect();
        let sql = format!(
            "SELECT to_jsonb(t) FROM {} t WHERE ({columns}) IN (SELECT * FROM unnest({}))",
            R::TABLE,
            unnested.join(", ")
        );
        let mut query = sqlx::query_scalar::<_, Json<R>>(&sql);
        for ids in transposed::<R>(missing.into_iter()) {
            query = query.bind(ids);
        }
        for Json(row) in query.fetch_all(db).await? {
            self.rows.insert(row.key(), row);
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
    let Some(first) = rows.first() else { return Ok(()) };
    let record = serde_json::to_value(first)?;
    let columns: Vec<&String> = record.as_object().map(|o| o.keys().collect()).unwrap_or_default();
    let sets: Vec<String> =
        columns.iter().filter(|c| !R::KEY.contains(&c.as_str())).map(|c| format!("{c} = excluded.{c}")).collect();
    let list = columns.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "INSERT INTO {table} ({list}) SELECT {list} FROM jsonb_populate_recordset(NULL::{table}, $1) \
         ON CONFLICT ({key}) DO UPDATE SET {sets}",
        table = R::TABLE,
        key = R::KEY.join(", "),
        sets = sets.join(", ")
    );
    sqlx::query(&sql).bind(Json(rows)).execute(db).await?;
    Ok(())
}

async fn delete<R: Row>(db: &mut PgConnection, keys: &[R::Key]) -> Result<(), ProjectorError> {
    let unnested: Vec<String> = (1..=R::KEY.len()).map(|i| format!("${i}::uuid[]")).collect();
    let sql = format!(
        "DELETE FROM {} WHERE ({}) IN (SELECT * FROM unnest({}))",
        R::TABLE,
        R::KEY.join(", "),
        unnested.join(", ")
    );
    let mut query = sqlx::query(&sql);
    for ids in transposed::<R>(keys.iter()) {
        query = query.bind(ids);
    }
    query.execute(db).await?;
    Ok(())
}

/// Keys as one array a column.
fn transposed<'a, R: Row>(keys: impl Iterator<Item = &'a R::Key>) -> Vec<Vec<Uuid>> {
    let mut arrays = vec![Vec::new(); R::KEY.len()];
    for key in keys {
        for (array, id) in arrays.iter_mut().zip(R::ids(key)) {
            array.push(id);
        }
    }
    arrays
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
            /// Reads the rows of these keys.
            pub async fn load(&mut self, db: &mut PgConnection, keys: &Keys) -> Result<(), ProjectorError> {
                $(self.$field.load(db, &keys.$field).await?;)*
                Ok(())
            }

            /// Writes what was touched, and what is derived of it.
            pub async fn store(&mut self, db: &mut PgConnection) -> Result<(), ProjectorError> {
                let derived = Derived::of(self);
                $(self.$field.store(db).await?;)*
                derived.store(db).await
            }

            /// Writes all rows into tables that have none of them, and keeps none. Nothing is derived.
            pub async fn copy(&mut self, db: &mut PgConnection, arrays: &Arrays) -> Result<(), ProjectorError> {
                $(copy::copy(db, &self.$field.take(), arrays).await?;)*
                Ok(())
            }

            /// Removes what an earlier fold of one aggregate left in the tables.
            pub async fn remove_of(&mut self, db: &mut PgConnection, aggregate: Uuid) -> Result<(), ProjectorError> {
                $(self.$field.remove_of(db, aggregate).await?;)*
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
    notifications: NotificationRow,
}
