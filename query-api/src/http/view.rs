//! JSON of tasks: complete, and as cards.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::types::Json;
use taskfold_domain::project::{Category, Column, WipPolicy};
use taskfold_domain::task::{Checklist, Standing, Status, allowed};
use taskfold_domain::task::{DueStage, Priority};
use utoipa::ToSchema;
use uuid::Uuid;

use super::membership::Membership;
use super::snapshot::Snapshot;
use super::text_enum::TextEnum;

// Names that are short enough for a column alias, which PostgreSQL truncates after 63 bytes.
pub type StatusText = TextEnum<Status>;
pub type PriorityText = TextEnum<Priority>;
pub type DueStageText = TextEnum<DueStage>;
pub type Checklists = Json<Vec<Checklist>>;

/// Fields that tasks and cards have in common.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskFields {
    pub id: Uuid,
    pub project_id: Uuid,
    pub title: String,
    #[schema(value_type = Status)]
    pub status: StatusText,
    pub column_id: Uuid,
    #[schema(example = "a0V")]
    pub rank: String,
    #[schema(value_type = Priority)]
    pub priority: PriorityText,
    pub assignee_ids: Vec<Uuid>,
    pub label_ids: Vec<Uuid>,
    pub start_at: Option<DateTime<Utc>>,
    pub due_at: Option<DateTime<Utc>>,
    pub estimate_minutes: Option<i32>,
    pub parent_id: Option<Uuid>,
    /// Tasks that must be completed before this one.
    pub dependency_ids: Vec<Uuid>,
    /// One of them is neither completed nor cancelled.
    pub blocked: bool,
    /// `due_at` is near, or has passed.
    #[schema(value_type = Option<DueStage>)]
    pub due_stage: Option<DueStageText>,
    /// Number of completed subtasks. `subtask_total` is the number of all.
    pub subtask_done: i64,
    pub subtask_total: i64,
    /// The caller watches the task.
    pub watching: bool,
    pub archived: bool,
    pub deleted: bool,
    pub deleted_at: Option<DateTime<Utc>>,
    pub deleted_by: Option<Uuid>,
    /// Duration of the running intervals that have ended. Add the time since `running_since` while that is not null.
    pub elapsed_ms: i64,
    pub running_since: Option<DateTime<Utc>>,
    /// In percent, as last reported.
    pub progress: Option<i32>,
    /// Reason for the cancellation or the failure.
    pub reason: Option<String>,
    pub comment_count: i32,
    pub attachment_count: i32,
    pub created_at: DateTime<Utc>,
    pub created_by: Uuid,
    pub updated_at: DateTime<Utc>,
    /// Version to send as `If-Match`.
    pub version: i64,
}

/// A task.
#[derive(Debug, Serialize, ToSchema)]
pub struct Task {
    #[serde(flatten)]
    pub fields: TaskFields,
    pub description: String,
    #[schema(value_type = Vec<Checklist>)]
    pub checklists: Checklists,
    /// Users who watch the task.
    pub watcher_ids: Vec<Uuid>,
    /// Commands that the caller may send now, as in `task.<name>`.
    #[schema(value_type = Vec<String>, example = json!(["start", "complete", "edit", "move"]))]
    pub allowed_commands: Vec<&'static str>,
}

/// A task as a card of the board.
#[derive(Debug, Serialize, ToSchema)]
pub struct Card {
    #[serde(flatten)]
    pub fields: TaskFields,
    pub checklist_done: i64,
    pub checklist_total: i64,
}

/// Selects rows that contain [`TaskFields`], and makes `$item` of the fields and the row. `FIELDS` stands for the
/// columns of the fields, from a table that is called `tasks`, between the other parts of the statement.
macro_rules! select_fields {
    ($fields:ident, $row:ident => $item:expr; $($before:literal)+ FIELDS $($after:literal)+; $($argument:expr),* $(,)?) => {
        sqlx::query!(
            $($before +)+
            r#"
            task_id, project_id, title,
            status AS "status: crate::http::view::StatusText", column_id, rank,
            priority AS "priority: crate::http::view::PriorityText",
            assignee_ids, label_ids, start_at, due_at, estimate_minutes, parent_id, dependency_ids,
            dependency_ids <> '{}' AND EXISTS (SELECT FROM tasks b WHERE b.task_id = ANY (tasks.dependency_ids)
                AND b.status NOT IN ('completed', 'cancelled') AND NOT b.deleted) AS "blocked!",
            due_stage AS "due_stage: crate::http::view::DueStageText",
            (SELECT count(*) FROM tasks s WHERE s.parent_id = tasks.task_id AND NOT s.deleted
                AND s.status = 'completed') AS "subtask_done!",
            (SELECT count(*) FROM tasks s WHERE s.parent_id = tasks.task_id AND NOT s.deleted) AS "subtask_total!",
            (SELECT taskfold_user()) = ANY (watcher_ids) AS "watching!",
            archived, deleted, deleted_at, deleted_by, elapsed_ms, running_since, progress, reason, comment_count,
            attachment_count, created_at, created_by, updated_at, version
            "#
            $(+ $after)+,
            $($argument),*
        )
        .map(|$row| {
            let $fields = $crate::http::view::TaskFields {
                id: $row.task_id,
                project_id: $row.project_id,
                title: $row.title,
                status: $row.status,
                column_id: $row.column_id,
                rank: $row.rank,
                priority: $row.priority,
                assignee_ids: $row.assignee_ids,
                label_ids: $row.label_ids,
                start_at: $row.start_at,
                due_at: $row.due_at,
                estimate_minutes: $row.estimate_minutes,
                parent_id: $row.parent_id,
                dependency_ids: $row.dependency_ids,
                blocked: $row.blocked,
                due_stage: $row.due_stage,
                subtask_done: $row.subtask_done,
                subtask_total: $row.subtask_total,
                watching: $row.watching,
                archived: $row.archived,
                deleted: $row.deleted,
                deleted_at: $row.deleted_at,
                deleted_by: $row.deleted_by,
                elapsed_ms: $row.elapsed_ms,
                running_since: $row.running_since,
                progress: $row.progress,
                reason: $row.reason,
                comment_count: $row.comment_count,
                attachment_count: $row.attachment_count,
                created_at: $row.created_at,
                created_by: $row.created_by,
                updated_at: $row.updated_at,
                version: $row.version,
            };
            $item
        })
    };
}
pub(crate) use select_fields;

/// Selects [`Task`]s, whose columns are `TASK`, and makes `$item` of the task and the row.
macro_rules! select_tasks {
    ($task:ident, $row:ident => $item:expr; $($before:literal)+ TASK $($after:literal)+; $($argument:expr),* $(,)?) => {
        $crate::http::view::select_fields!(
            fields, $row => {
                let $task = $crate::http::view::Task {
                    fields,
                    description: $row.description,
                    checklists: $row.checklists,
                    watcher_ids: $row.watcher_ids,
                    allowed_commands: Vec::new(),
                };
                $item
            };
            $($before)+ FIELDS
            r#", description, watcher_ids,
            checklists AS "checklists: crate::http::view::Checklists"
            "#
            $($after)+;
            $($argument),*
        )
    };
}
pub(crate) use select_tasks;

/// Selects [`Card`]s, whose columns are `CARD`, and makes `$item` of the card and the row.
macro_rules! select_cards {
    ($card:ident, $row:ident => $item:expr; $($before:literal)+ CARD $($after:literal)+; $($argument:expr),* $(,)?) => {
        $crate::http::view::select_fields!(
            fields, $row => {
                let $card = $crate::http::view::Card {
                    fields,
                    checklist_done: $row.checklist_done,
                    checklist_total: $row.checklist_total,
                };
                $item
            };
            $($before)+ FIELDS
            r#",
            jsonb_array_length(jsonb_path_query_array(checklists, '$[*].items[*] ? (@.done == true)'))::bigint
                AS "checklist_done!",
            jsonb_array_length(jsonb_path_query_array(checklists, '$[*].items[*]'))::bigint AS "checklist_total!"
            "#
            $($after)+;
            $($argument),*
        )
    };
}
pub(crate) use select_cards;

/// Labels and people that tasks may refer to. What is gone stays in the log of a task, and is not shown.
pub struct Present {
    labels: HashSet<Uuid>,
    /// Pairs of a project and a person who may not see it any more.
    former: HashSet<(Uuid, Uuid)>,
}

impl Present {
    /// Reads which people of the tasks may still see their projects.
    pub async fn read<'a>(
        snapshot: &mut Snapshot,
        labels: HashSet<Uuid>,
        people: impl Iterator<Item = (Uuid, &'a [Uuid])>,
    ) -> sqlx::Result<Self> {
        let pairs: HashSet<(Uuid, Uuid)> =
            people.flat_map(|(project, people)| people.iter().map(move |user| (project, *user))).collect();
        if pairs.is_empty() {
            return Ok(Self { labels, former: HashSet::new() });
        }
        let (projects, people): (Vec<Uuid>, Vec<Uuid>) = pairs.into_iter().unzip();
        let former = sqlx::query!(
            r#"SELECT project_id AS "project_id!", user_id AS "user_id!" FROM taskfold_former($1, $2)"#,
            &projects,
            &people,
        )
        .map(|row| (row.project_id, row.user_id))
        .fetch_all(&mut *snapshot.db)
        .await?;
        Ok(Self { labels, former: former.into_iter().collect() })
    }

    pub fn is_former(&self, project: Uuid, user: Uuid) -> bool {
        self.former.contains(&(project, user))
    }
}

impl TaskFields {
    /// People whom a card shows.
    pub fn people(&self) -> (Uuid, &[Uuid]) {
        (self.project_id, &self.assignee_ids)
    }

    /// Removes references to what is gone.
    pub fn keep(&mut self, present: &Present) {
        self.label_ids.retain(|label| present.labels.contains(label));
        self.assignee_ids.retain(|user| !present.is_former(self.project_id, *user));
    }
}

impl Task {
    /// People whom the task shows.
    pub fn people(&self) -> [(Uuid, &[Uuid]); 2] {
        [self.fields.people(), (self.fields.project_id, &self.watcher_ids)]
    }

    /// Completes the task for this member.
    pub fn shown_to(mut self, member: &Membership, present: &Present) -> Self {
        self.fields.keep(present);
        self.watcher_ids.retain(|user| !present.is_former(self.fields.project_id, *user));
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
