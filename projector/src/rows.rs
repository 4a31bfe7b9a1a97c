//! What a row of each read table has, what it is known by, and the version of what events come to in it.

use std::hash::Hash;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use taskfold_domain::project::{Board, Column, Label, SavedFilter};
use taskfold_domain::task::Checklist;
use uuid::Uuid;

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
