//! Tasks as they are shown: whole, and as cards.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::FromRow;
use sqlx::types::Json;
use taskfold_domain::Role;
use taskfold_domain::project::{Category, Column, WipPolicy};
use taskfold_domain::task::events::Priority;
use taskfold_domain::task::{Action, Checklist, Status};
use utoipa::ToSchema;
use uuid::Uuid;

use super::access::Membership;
use super::stored::Stored;

/// What a task and a card have in common.
#[derive(Debug, FromRow, Serialize, ToSchema)]
pub struct TaskFields {
    #[sqlx(rename = "task_id")]
    pub id: Uuid,
    pub project_id: Uuid,
    pub title: String,
    #[schema(value_type = Status)]
    status: Stored<Status>,
    pub column_id: Uuid,
    #[schema(example = "a0V")]
    rank: String,
    #[schema(value_type = Priority)]
    priority: Stored<Priority>,
    assignee_ids: Vec<Uuid>,
    label_ids: Vec<Uuid>,
    start_at: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
    estimate_minutes: Option<i32>,
    parent_id: Option<Uuid>,
    /// Whether a task that it depends on is not completed.
    #[sqlx(skip)]
    blocked: bool,
    archived: bool,
    deleted: bool,
    deleted_at: Option<DateTime<Utc>>,
    deleted_by: Option<Uuid>,
    /// Of the running intervals that have ended; add the time since `running_since` while it is not null.
    elapsed_ms: i64,
    running_since: Option<DateTime<Utc>>,
    /// In percent, as far as it was told.
    progress: Option<i32>,
    /// Why it was cancelled or failed.
    reason: Option<String>,
    comment_count: i32,
    attachment_count: i32,
    created_at: DateTime<Utc>,
    created_by: Uuid,
    updated_at: DateTime<Utc>,
    /// For `If-Match`.
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
    /// What the caller may ask of it now, as in the names of commands: `task.<name>`.
    #[sqlx(skip)]
    #[schema(value_type = Vec<String>, example = json!(["start", "complete", "edit", "move"]))]
    allowed_commands: Vec<&'static str>,
    #[sqlx(skip)]
    #[serde(skip)]
    hidden_labels: usize,
}

/// A task as boards show it.
#[derive(Debug, FromRow, Serialize, ToSchema)]
pub struct Card {
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub fields: TaskFields,
    checklist_done: i64,
    checklist_total: i64,
}

/// The columns of [`TaskFields`].
macro_rules! task_fields {
    () => {
        "task_id, project_id, title, status, column_id, rank, priority, assignee_ids, label_ids, start_at, due_at, \
         estimate_minutes, parent_id, archived, deleted, deleted_at, deleted_by, elapsed_ms, running_since, progress, \
         reason, comment_count, attachment_count, created_at, created_by, updated_at, version"
    };
}
pub(crate) use task_fields;

impl TaskFields {
    /// Leaves out labels that the project no longer has.
    pub fn keep_labels(&mut self, labels: &HashSet<Uuid>) {
        self.label_ids.retain(|label| labels.contains(label));
    }
}

/// The `ETag` of a task: its version, as `If-Match` takes it. What is shown also depends on the project, so the same
/// number is written another way where the version alone would not tell: a plus where nothing is allowed, and a zero
/// for each label that is no longer shown. `If-Match` reads the same version from all of them.
fn tag(version: i64, nothing_allowed: bool, hidden_labels: usize) -> String {
    let plus = if nothing_allowed { "+" } else { "" };
    format!("\"{plus}{}{version}\"", "0".repeat(hidden_labels))
}

impl Task {
    /// As this member sees it.
    pub fn shown_to(mut self, member: &Membership, labels: &HashSet<Uuid>) -> Self {
        let carried = self.fields.label_ids.len();
        self.fields.keep_labels(labels);
        self.hidden_labels = carried - self.fields.label_ids.len();
        self.allowed_commands = allowed(&self.fields, member);
        self
    }

    pub fn etag(&self) -> String {
        tag(self.fields.version, self.allowed_commands.is_empty(), self.hidden_labels)
    }
}

fn allowed(task: &TaskFields, member: &Membership) -> Vec<&'static str> {
    if member.role() < Role::Member || member.archived {
        return Vec::new();
    }
    if task.deleted {
        return vec!["restore"];
    }
    let archiving = if task.archived { "unarchive" } else { "archive" };
    let always = [
        "edit",
        "move",
        "assign",
        "unassign",
        "label",
        "unlabel",
        "comment",
        "attach",
        "add_checklist",
        archiving,
        "delete",
    ];
    task.status.0.allowed().iter().map(|action| action_name(*action)).chain(always).collect()
}

fn action_name(action: Action) -> &'static str {
    match action {
        Action::Start => "start",
        Action::Pause => "pause",
        Action::Resume => "resume",
        Action::Complete => "complete",
        Action::Cancel => "cancel",
        Action::Fail => "fail",
        Action::Reopen => "reopen",
        Action::Progress => "progress",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_a_task_tells_what_its_version_does_not_and_is_still_that_version() {
        let tags = [tag(7, false, 0), tag(7, true, 0), tag(7, false, 1), tag(7, true, 50), tag(8, false, 0)];
        for (i, one) in tags.iter().enumerate() {
            assert!(!tags[..i].contains(one), "{one}");
            let version = if i == 4 { 8 } else { 7 };
            assert_eq!(one.trim_matches('"').parse::<u64>(), Ok(version), "{one}");
        }
        assert_eq!(tags[0], "\"7\"");
    }
}
