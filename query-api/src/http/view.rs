//! JSON of tasks: complete, and as cards.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::FromRow;
use sqlx::types::Json;
use taskfold_domain::project::{Category, Column, WipPolicy};
use taskfold_domain::task::{Checklist, Standing, Status, allowed};
use taskfold_domain::task::{DueStage, Priority};
use utoipa::ToSchema;
use uuid::Uuid;

use super::membership::Membership;
use super::text_enum::TextEnum;

/// Fields that tasks and cards have in common.
#[derive(Debug, FromRow, Serialize, ToSchema)]
pub struct TaskFields {
    #[sqlx(rename = "task_id")]
    pub id: Uuid,
    pub project_id: Uuid,
    pub title: String,
    #[schema(value_type = Status)]
    status: TextEnum<Status>,
    pub column_id: Uuid,
    #[schema(example = "a0V")]
    pub rank: String,
    #[schema(value_type = Priority)]
    priority: TextEnum<Priority>,
    assignee_ids: Vec<Uuid>,
    label_ids: Vec<Uuid>,
    pub start_at: Option<DateTime<Utc>>,
    pub due_at: Option<DateTime<Utc>>,
    estimate_minutes: Option<i32>,
    parent_id: Option<Uuid>,
    /// Tasks that must be completed before this one.
    dependency_ids: Vec<Uuid>,
    /// One of them is neither completed nor cancelled.
    blocked: bool,
    /// `due_at` is near, or has passed.
    #[schema(value_type = Option<DueStage>)]
    due_stage: Option<TextEnum<DueStage>>,
    /// Number of completed subtasks. `subtask_total` is the number of all.
    subtask_done: i64,
    subtask_total: i64,
    /// The caller watches the task.
    watching: bool,
    archived: bool,
    deleted: bool,
    deleted_at: Option<DateTime<Utc>>,
    deleted_by: Option<Uuid>,
    /// Duration of the running intervals that have ended. Add the time since `running_since` while that is not null.
    elapsed_ms: i64,
    running_since: Option<DateTime<Utc>>,
    /// In percent, as last reported.
    progress: Option<i32>,
    /// Reason for the cancellation or the failure.
    reason: Option<String>,
    comment_count: i32,
    attachment_count: i32,
    created_at: DateTime<Utc>,
    created_by: Uuid,
    updated_at: DateTime<Utc>,
    /// Version to send as `If-Match`.
    pub version: i64,
}

/// A task.
#[derive(Debug, FromRow, Serialize, ToSchema)]
pub struct Task {
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub fields: TaskFields,
    description: String,
    #[schema(value_type = Vec<Checklist>)]
    checklists: Json<Vec<Checklist>>,
    /// Users who watch the task.
    watcher_ids: Vec<Uuid>,
    /// Commands that the caller may send now, as in `task.<name>`.
    #[sqlx(skip)]
    #[schema(value_type = Vec<String>, example = json!(["start", "complete", "edit", "move"]))]
    allowed_commands: Vec<&'static str>,
}

/// A task as a card of the board.
#[derive(Debug, FromRow, Serialize, ToSchema)]
pub struct Card {
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub fields: TaskFields,
    checklist_done: i64,
    checklist_total: i64,
}

/// Columns of [`TaskFields`].
macro_rules! task_fields {
    () => {
        "task_id, project_id, title, status, column_id, rank, priority, assignee_ids, label_ids, start_at, due_at, \
         estimate_minutes, parent_id, archived, deleted, deleted_at, deleted_by, elapsed_ms, running_since, progress, \
         reason, comment_count, attachment_count, created_at, created_by, updated_at, version, dependency_ids, due_stage, \
         dependency_ids <> '{}' AND EXISTS (SELECT FROM tasks b WHERE b.task_id = ANY (tasks.dependency_ids) \
             AND b.status NOT IN ('completed', 'cancelled') AND NOT b.deleted) AS blocked, \
         (SELECT count(*) FROM tasks s WHERE s.parent_id = tasks.task_id AND NOT s.deleted) AS subtask_total, \
         (SELECT count(*) FROM tasks s WHERE s.parent_id = tasks.task_id AND NOT s.deleted \
             AND s.status = 'completed') AS subtask_done, \
         (SELECT taskfold_user()) = ANY (watcher_ids) AS watching"
    };
}
pub(crate) use task_fields;

/// Columns of [`Card`].
macro_rules! card_fields {
    () => {
        concat!(
            $crate::http::view::task_fields!(),
            ", jsonb_array_length(jsonb_path_query_array(checklists, '$[*].items[*] ? (@.done == true)'))::bigint \
                 AS checklist_done, \
               jsonb_array_length(jsonb_path_query_array(checklists, '$[*].items[*]'))::bigint AS checklist_total"
        )
    };
}
pub(crate) use card_fields;

impl TaskFields {
    /// Removes labels that the project no longer has.
    pub fn keep_labels(&mut self, labels: &HashSet<Uuid>) {
        self.label_ids.retain(|label| labels.contains(label));
    }
}

impl Task {
    /// Completes the task for this member.
    pub fn shown_to(mut self, member: &Membership, labels: &HashSet<Uuid>) -> Self {
        self.fields.keep_labels(labels);
        let fields = &self.fields;
        let standing = Standing {
            status: fields.status.0,
            archived: fields.archived,
            deleted: fields.deleted,
            project_archived: member.archived,
        };
        self.allowed_commands = allowed(member.role(), standing);
        self
    }
}

/// A column of a project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Column)]
pub struct ColumnView {
    id: Uuid,
    name: String,
    category: Category,
    wip_limit: Option<u32>,
    wip_policy: WipPolicy,
    archived: bool,
}

impl From<Column> for ColumnView {
    fn from(column: Column) -> Self {
        Self {
            id: column.id.0,
            name: column.name,
            category: column.category,
            wip_limit: column.wip_limit,
            wip_policy: column.wip_policy,
            archived: column.archived,
        }
    }
}
