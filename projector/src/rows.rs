//! What a row of each read table has, what it is known by, and the version of what events come to in it.

use std::hash::Hash;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;
use taskfold_domain::project::{Board, Column, Label, SavedFilter};
use taskfold_domain::task::events::{DueStage, Priority};
use taskfold_domain::task::{Checklist, Status};
use taskfold_domain::team::TeamRole;
use taskfold_domain::{NotificationKind, Role};
use uuid::Uuid;

use crate::field::Field;

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, PgArguments>;

/// A row of a read table. It is read as a JSON record, and written with all others of a batch as one array a column.
pub trait Row: Clone + PartialEq + Serialize + DeserializeOwned + Unpin + Send + 'static {
    type Key: Key;
    const TABLE: &'static str;
    /// To be raised when the same events come to other rows: the table is then made anew (see [`crate::versions`]).
    const VERSION: i32;
    /// Each column's name, and the type it becomes in PostgreSQL where it is sent as text.
    const COLUMNS: &'static [(&'static str, Option<&'static str>)];
    /// The columns of its key.
    const KEY: &'static [&'static str];
    fn key(&self) -> Self::Key;
    /// Binds an array for each of `COLUMNS`.
    fn bind<'q>(rows: &[&'q Self], query: Query<'q>) -> Query<'q>;
}

/// What a row is known by.
pub trait Key: Clone + Eq + Hash + Ord + std::fmt::Debug + Send + Sync {
    /// The type of each column in PostgreSQL.
    const TYPES: &'static [&'static str];
    /// An array for each column.
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

/// A struct for each read table; its fields are the table's columns.
macro_rules! rows {
    ($(pub struct $row:ident in $table:literal version $version:literal by ($($id:ident),*): $key:ty {
        $(pub $column:ident: $field:ty,)*
    })*) => {$(
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $row {
            $(pub $column: $field,)*
        }

        impl Row for $row {
            type Key = $key;
            const TABLE: &'static str = $table;
            const VERSION: i32 = $version;
            const COLUMNS: &'static [(&'static str, Option<&'static str>)] =
                &[$((stringify!($column), <$field as Field>::BECOMES)),*];
            const KEY: &'static [&'static str] = &[$(stringify!($id)),*];
            fn key(&self) -> $key {
                ($(self.$id),*)
            }
            fn bind<'q>(rows: &[&'q Self], query: Query<'q>) -> Query<'q> {
                query$(.bind(rows.iter().map(|row| row.$column.sent()).collect::<Vec<_>>()))*
            }
        }
    )*};
}

rows! {
    pub struct TaskRow in "tasks" version 2 by (task_id): Uuid {
        pub task_id: Uuid,
        pub project_id: Uuid,
        pub title: String,
        pub description: String,
        pub status: Status,
        pub running_since: Option<DateTime<Utc>>,
        pub elapsed_ms: u64,
        pub reason: Option<String>,
        pub progress: Option<u32>,
        pub column_id: Uuid,
        pub rank: String,
        pub priority: Priority,
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
        pub due_stage: Option<DueStage>,
        pub created_at: DateTime<Utc>,
        pub created_by: Uuid,
        pub updated_at: DateTime<Utc>,
        pub version: i64,
        pub position: i64,
    }

    pub struct ProjectRow in "projects" version 1 by (project_id): Uuid {
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

    pub struct MemberRow in "project_members" version 2 by (project_id, user_id): (Uuid, Uuid) {
        pub project_id: Uuid,
        pub user_id: Uuid,
        pub role: Role,
        pub position: i64,
        pub from_position: i64,
    }

    pub struct CommentRow in "comments" version 1 by (task_id, comment_id): (Uuid, Uuid) {
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

    pub struct AttachmentRow in "attachments" version 1 by (task_id, attachment_id): (Uuid, Uuid) {
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

    pub struct TeamRow in "teams" version 1 by (team_id): Uuid {
        pub team_id: Uuid,
        pub name: String,
        pub created_at: DateTime<Utc>,
        pub created_by: Uuid,
        pub version: i64,
        pub position: i64,
    }

    pub struct TeamMemberRow in "team_members" version 2 by (team_id, user_id): (Uuid, Uuid) {
        pub team_id: Uuid,
        pub user_id: Uuid,
        pub role: TeamRole,
        pub position: i64,
        pub from_position: i64,
    }

    pub struct ProjectTeamRow in "project_teams" version 2 by (project_id, team_id): (Uuid, Uuid) {
        pub project_id: Uuid,
        pub team_id: Uuid,
        pub role: Role,
        pub position: i64,
        pub from_position: i64,
    }

    pub struct PastMemberRow in "past_project_members" version 1 by (project_id, user_id, from_position): (Uuid, Uuid, i64) {
        pub project_id: Uuid,
        pub user_id: Uuid,
        pub role: Role,
        pub from_position: i64,
        pub to_position: i64,
    }

    pub struct PastTeamMemberRow in "past_team_members" version 1 by (team_id, user_id, from_position): (Uuid, Uuid, i64) {
        pub team_id: Uuid,
        pub user_id: Uuid,
        pub role: TeamRole,
        pub from_position: i64,
        pub to_position: i64,
    }

    pub struct PastProjectTeamRow in "past_project_teams" version 1 by (project_id, team_id, from_position): (Uuid, Uuid, i64) {
        pub project_id: Uuid,
        pub team_id: Uuid,
        pub role: Role,
        pub from_position: i64,
        pub to_position: i64,
    }

    pub struct ChannelEventRow in "channel_events" version 1 by (position): i64 {
        pub position: i64,
        pub team_id: Option<Uuid>,
        pub user_id: Option<Uuid>,
    }

    pub struct NotificationRow in "notifications" version 1 by (notification_id): Uuid {
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
}

/// A reaction, in the row of its comment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReactionOf {
    pub emoji: String,
    pub user_id: Uuid,
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
