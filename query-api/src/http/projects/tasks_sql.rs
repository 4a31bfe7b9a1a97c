//! SQL of the task list: a statement for each order. A page starts after a sort key and an id, or before everything.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::tasks::Sort;
use crate::http::page::Keyset;
use crate::http::view::{Task, select_tasks};

/// Page of a list to be read.
pub struct TaskList<'a> {
    pub project: Uuid,
    pub deleted: bool,
    pub archived: Option<bool>,
    /// `None` without optional filters.
    pub filters: Option<Filters>,
    pub keyset: &'a Keyset,
}

/// Optional filters.
#[derive(Default, PartialEq)]
pub struct Filters {
    pub status: Option<Vec<&'static str>>,
    pub assignee: Option<Uuid>,
    pub unassigned: Option<bool>,
    pub label: Option<Uuid>,
    pub column: Option<Uuid>,
    pub parent: Option<Uuid>,
    pub priority: Option<Vec<&'static str>>,
    pub blocked: Option<bool>,
    pub watching: Option<bool>,
    pub due_stage: Option<&'static str>,
    pub due_before: Option<DateTime<Utc>>,
    pub due_after: Option<DateTime<Utc>>,
    pub updated_since: Option<DateTime<Utc>>,
    /// Pattern for ILIKE.
    pub text: Option<String>,
}

/// Selects the tasks of the list: a statement of two parts, between which are the conditions of the list. Its
/// parameters $4, $5 and $6 are the sort key, the id and the row limit. Statements without optional filters are
/// separate, because each filter takes time in each read, even if it is not used.
macro_rules! select {
    ($list:ident, $db:ident from ($key:expr, $id:expr), [$($before:literal)+] [$($after:literal)+]) => {{
        let keyset = $list.keyset;
        let (key, id) = (keyset.key($key), keyset.after.as_ref().map_or($id, |cursor| cursor.id));
        match $list.filters {
            None => select_tasks!(
                task, row => (task, row.sort_key);
                "SELECT" TASK $($before)+ "
                project_id = $1 AND deleted = $2 AND ($3::boolean IS NULL OR archived = $3)
                " $($after)+;
                $list.project,
                $list.deleted,
                $list.archived,
                key,
                id,
                keyset.row_limit(),
            )
            .fetch_all($db)
            .await,
            Some(filters) => select_tasks!(
                task, row => (task, row.sort_key);
                "SELECT" TASK $($before)+ "
                project_id = $1 AND deleted = $2 AND ($3::boolean IS NULL OR archived = $3)
                AND ($7::text[] IS NULL OR status = ANY ($7))
                AND ($8::uuid IS NULL OR $8 = ANY (assignee_ids))
                AND ($9::boolean IS NULL
                    OR $9 <> (assignee_ids && ARRAY(SELECT user_id FROM taskfold_people($1))))
                AND ($10::uuid IS NULL OR $10 = ANY (label_ids))
                AND ($11::uuid IS NULL OR column_id = $11)
                AND ($12::uuid IS NULL OR parent_id = $12)
                AND ($13::text[] IS NULL OR priority = ANY ($13))
                AND ($14::boolean IS NULL OR $14 = (dependency_ids <> '{}' AND EXISTS (
                    SELECT FROM tasks d WHERE d.task_id = ANY (tasks.dependency_ids)
                        AND d.status NOT IN ('completed', 'cancelled') AND NOT d.deleted)))
                AND ($15::boolean IS NULL OR $15 = ((SELECT taskfold_user()) = ANY (watcher_ids)))
                AND ($16::text IS NULL OR due_stage = $16)
                AND ($17::timestamptz IS NULL OR due_at < $17)
                AND ($18::timestamptz IS NULL OR due_at >= $18)
                AND ($19::timestamptz IS NULL OR updated_at >= $19)
                AND ($20::text IS NULL OR title ILIKE $20 OR description ILIKE $20)
                " $($after)+;
                $list.project,
                $list.deleted,
                $list.archived,
                key,
                id,
                keyset.row_limit(),
                &filters.status as _,
                filters.assignee,
                filters.unassigned,
                filters.label,
                filters.column,
                filters.parent,
                &filters.priority as _,
                filters.blocked,
                filters.watching,
                filters.due_stage,
                filters.due_before,
                filters.due_after,
                filters.updated_since,
                filters.text,
            )
            .fetch_all($db)
            .await,
        }
    }};
}

/// Selects the tasks in the order of a key, and by id among equal keys. `from`: a key before all others.
macro_rules! by_key {
    ($list:ident, $db:ident, $key:literal as $type:literal from $start:literal) => {
        by_key!(@ $list, $db, $key, $type, ">", "", ($start, Uuid::nil()))
    };
    ($list:ident, $db:ident, $key:literal as $type:literal down from $start:literal) => {
        by_key!(@ $list, $db, $key, $type, "<", " DESC", ($start, Uuid::max()))
    };
    (@ $list:ident, $db:ident, $key:literal, $type:literal, $after:literal, $direction:literal, $start:tt) => {
        select!(
            $list, $db from $start,
            [", (" $key r#")::text AS "sort_key!" FROM tasks WHERE"#]
            ["AND (" $key ", task_id) " $after " ($4::text::" $type ", $5) \
                ORDER BY " $key $direction ", task_id" $direction " LIMIT $6"]
        )
    };
}

/// Selects the tasks on the board in its order: reads a page of each column from its index, and merges them. The
/// columns are an array, because PostgreSQL knows the order of its elements: it does not read the columns after a full
/// page.
macro_rules! by_column {
    ($list:ident, $db:ident) => {
        by_column!(@ $list, $db, ">", "", "''", "'00000000-0000-0000-0000-000000000000'", ("000", Uuid::nil()))
    };
    ($list:ident, $db:ident, down) => {
        by_column!(@ $list, $db, "<", " DESC", "'~'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'", ("999~", Uuid::max()))
    };
    // `$rank` and `$id` are before all others.
    (@ $list:ident, $db:ident, $after:literal, $direction:literal, $rank:literal, $id:literal, $start:tt) => {
        select!(
            $list, $db from $start,
            [r#", to_char(place, 'FM000') || rank AS "sort_key!"
                FROM unnest(ARRAY(
                    SELECT (c ->> 'id')::uuid FROM projects, jsonb_array_elements(columns) WITH ORDINALITY AS of (c, n)
                    WHERE project_id = $1 ORDER BY n)) WITH ORDINALITY AS on_board (id, place)
                CROSS JOIN LATERAL (SELECT * FROM tasks WHERE"#]
            ["AND column_id = on_board.id AND NOT archived AND NOT deleted AND (rank, task_id) " $after " (
                    CASE WHEN place = left($4::text, 3)::integer THEN substr($4, 4) ELSE " $rank " END,
                    CASE WHEN place = left($4, 3)::integer THEN $5 ELSE " $id "::uuid END)
                ORDER BY rank" $direction ", task_id" $direction " LIMIT $6) AS tasks
                WHERE place " $after "= left($4, 3)::integer
                ORDER BY place" $direction ", rank" $direction ", task_id" $direction " LIMIT $6"]
        )
    };
}

/// Selects tasks that are not on the board in its order.
macro_rules! by_place {
    ($list:ident, $db:ident, $($order:tt)+) => {
        by_key!(
            $list, $db, r#"(to_char(coalesce(array_position(ARRAY(
                    SELECT (c ->> 'id')::uuid FROM projects, jsonb_array_elements(columns) WITH ORDINALITY AS of (c, n)
                    WHERE project_id = $1 ORDER BY n), column_id), 999), 'FM000') || rank COLLATE "C")"# as "text"
            $($order)+
        )
    };
}

impl TaskList<'_> {
    /// Reads the tasks of the page with their sort keys.
    pub async fn read(self, db: &mut PgConnection, sort: Sort) -> sqlx::Result<Vec<(Task, String)>> {
        let is_on_board = !self.deleted && self.archived == Some(false);
        match sort {
            // Each page of these starts in an index.
            Sort::CreatedAt => by_key!(self, db, "created_at" as "timestamptz" from "-infinity"),
            Sort::CreatedAtDown => by_key!(self, db, "created_at" as "timestamptz" down from "infinity"),
            Sort::UpdatedAt => by_key!(self, db, "updated_at" as "timestamptz" from "-infinity"),
            Sort::UpdatedAtDown => by_key!(self, db, "updated_at" as "timestamptz" down from "infinity"),
            // Tasks without a due time come last in both directions. CASE, as in the indexes: with row-level security,
            // PostgreSQL would not use an index on coalesce.
            Sort::DueAt => by_key!(
                self, db, "CASE WHEN due_at IS NULL THEN 'infinity' ELSE due_at END" as "timestamptz" from "-infinity"
            ),
            Sort::DueAtDown => by_key!(
                self, db, "CASE WHEN due_at IS NULL THEN '-infinity' ELSE due_at END" as "timestamptz"
                down from "infinity"
            ),
            Sort::Rank if is_on_board => by_column!(self, db),
            Sort::RankDown if is_on_board => by_column!(self, db, down),
            // Each page of these sorts the project's tasks: indexes for these rare orders would slow down every change
            // of a task.
            Sort::Priority => by_key!(
                self, db, "array_position(ARRAY['none', 'low', 'medium', 'high', 'urgent'], priority)" as "integer"
                from "0"
            ),
            Sort::PriorityDown => by_key!(
                self, db, "array_position(ARRAY['none', 'low', 'medium', 'high', 'urgent'], priority)" as "integer"
                down from "9"
            ),
            Sort::Title => by_key!(self, db, r#"(lower(title) COLLATE "C")"# as "text" from ""),
            Sort::TitleDown => {
                by_key!(self, db, r#"(lower(title) COLLATE "C")"# as "text" down from "\u{10FFFF}\u{10FFFF}")
            }
            Sort::Rank => by_place!(self, db, from ""),
            Sort::RankDown => by_place!(self, db, down from "a"),
        }
    }
}
