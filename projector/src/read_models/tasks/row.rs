//! Row of a task: its fields, and where it comes from.

use chrono::{DateTime, Utc};
use taskfold_domain::ids::{ColumnId, LabelId, ProjectId, TaskId, UserId};
use taskfold_domain::task::{Checklist, DueStage, Fields, Priority, Status, Watchers};
use taskfold_domain::{Rank, Timestamp};
use uuid::Uuid;

use crate::row::rows;

rows! {
    pub struct TaskRow in "tasks" version 3 digest "940e6b12-ddc9-5912-bf8e-537db696f2a5"
        by (task_id): Uuid {
        pub task_id: Uuid,
        pub deleted: bool,
        pub deleted_at: Option<DateTime<Utc>>,
        pub deleted_by: Option<Uuid>,
        pub comment_count: u32,
        pub attachment_count: u32,
        pub created_at: DateTime<Utc>,
        pub created_by: Uuid,
        pub updated_at: DateTime<Utc>,
        pub version: i64,
        pub position: i64,
    } with pub fields: Fields {
        project_id: ProjectId,
        title: String,
        description: String,
        status: Status,
        running_since: Option<Timestamp>,
        elapsed_ms: u64,
        reason: Option<String>,
        progress: Option<u32>,
        column_id: ColumnId,
        rank: Rank,
        priority: Priority,
        assignee_ids: Vec<UserId>,
        label_ids: Vec<LabelId>,
        start_at: Option<Timestamp>,
        due_at: Option<Timestamp>,
        estimate_minutes: Option<u32>,
        parent_id: Option<TaskId>,
        archived: bool,
        checklists: Vec<Checklist>,
        dependency_ids: Vec<TaskId>,
        watcher_ids: Watchers,
        assigned_watcher_ids: Vec<UserId>,
        due_stage: Option<DueStage>,
    }
}
