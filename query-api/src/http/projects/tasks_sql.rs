//! SQL of the task list: one constant text for each order. A page starts after a sort key and an id, or before
//! everything.

use crate::http::view::task_fields;

/// Order of a task list: by a sort key, and by id among equal keys.
pub struct Order {
    /// Query without optional filters.
    pub all: &'static str,
    /// Query with the optional filters. Separate, because each filter takes time in each read, even if it is not used.
    pub filtered: &'static str,
    /// The query needs the columns of the board ($13).
    pub by_column: bool,
    /// Sort key before all others, and whether the id before all others is the greatest one.
    pub start: (&'static str, bool),
}

/// Conditions of all lists.
macro_rules! base {
    () => {
        "project_id = $1 AND deleted = $11 AND ($12::boolean IS NULL OR archived = $12)"
    };
}

/// Conditions of all lists with filters.
macro_rules! filters {
    () => {
        concat!(
            base!(),
            " AND ($2::text[] IS NULL OR status = ANY ($2)) \
           AND ($3::uuid IS NULL OR $3 = ANY (assignee_ids)) \
           AND ($4::uuid IS NULL OR $4 = ANY (label_ids)) \
           AND ($5::uuid IS NULL OR column_id = $5) \
           AND ($6::text[] IS NULL OR priority = ANY ($6)) \
           AND ($7::timestamptz IS NULL OR due_at < $7) \
           AND ($8::timestamptz IS NULL OR due_at >= $8) \
           AND ($9::timestamptz IS NULL OR updated_at >= $9) \
           AND ($10::text IS NULL OR title ILIKE $10 OR description ILIKE $10) \
           AND ($17::uuid IS NULL OR parent_id = $17) \
           AND ($18::boolean IS NULL OR $18 = (dependency_ids <> '{}' AND EXISTS ( \
               SELECT FROM tasks d WHERE d.task_id = ANY (tasks.dependency_ids) \
                   AND d.status NOT IN ('completed', 'cancelled') AND NOT d.deleted))) \
           AND ($19::boolean IS NULL OR $19 = ((SELECT taskfold_user()) = ANY (watcher_ids))) \
           AND ($20::boolean IS NULL OR $20 = (assignee_ids = '{}')) \
           AND ($21::text IS NULL OR due_stage = $21)"
        )
    };
}

macro_rules! order {
    ($key:literal as $type:literal from $start:literal) => {
        order!(@both $key, $type, ">", "", ($start, false))
    };
    ($key:literal as $type:literal down from $start:literal) => {
        order!(@both $key, $type, "<", " DESC", ($start, true))
    };
    (@both $key:literal, $type:literal, $after:literal, $direction:literal, $start:expr) => {
        Order {
            all: order!(@sql base, $key, $type, $after, $direction),
            filtered: order!(@sql filters, $key, $type, $after, $direction),
            by_column: false,
            start: $start,
        }
    };
    (@sql $filters:ident, $key:literal, $type:literal, $after:literal, $direction:literal) => {
        concat!(
            "SELECT ", task_fields!(), ", description, checklists, watcher_ids, (", $key, ")::text AS sort_key FROM tasks WHERE ",
            $filters!(),
            " AND (", $key, ", task_id) ", $after, " ($14::text::", $type, ", $15) \
             ORDER BY ", $key, $direction, ", task_id", $direction, " LIMIT $16"
        )
    };
}

/// Order of the board, for the tasks on it: reads a page of each column from its index, and merges them.
macro_rules! on_board {
    ($after:literal, $direction:literal, $edge:literal, $id:literal, from $start:literal, $greatest:literal) => {
        Order {
            all: on_board!(@sql base, $after, $direction, $edge, $id),
            filtered: on_board!(@sql filters, $after, $direction, $edge, $id),
            by_column: true,
            start: ($start, $greatest),
        }
    };
    (@sql $filters:ident, $after:literal, $direction:literal, $edge:literal, $id:literal) => {
        concat!(
            "SELECT ",
            task_fields!(),
            ", description, checklists, watcher_ids, to_char(place, 'FM000') || rank AS sort_key \
             FROM unnest($13::uuid[]) WITH ORDINALITY AS on_board (id, place) CROSS JOIN LATERAL ( \
                 SELECT * FROM tasks WHERE ",
            $filters!(),
            " \
                     AND column_id = on_board.id AND NOT archived AND NOT deleted AND (rank, task_id) ",
            $after,
            " ( \
                         CASE WHEN place = left($14::text, 3)::integer THEN substr($14, 4) ELSE ",
            $edge,
            " END, \
                         CASE WHEN place = left($14, 3)::integer THEN $15 ELSE ",
            $id,
            "::uuid END) \
                 ORDER BY rank",
            $direction,
            ", task_id",
            $direction,
            " LIMIT $16) AS tasks \
             WHERE place ",
            $after,
            "= left($14, 3)::integer \
             ORDER BY place",
            $direction,
            ", rank",
            $direction,
            ", task_id",
            $direction,
            " LIMIT $16"
        )
    };
}

// Each page of these starts in an index.
pub const CREATED: Order = order!("created_at" as "timestamptz" from "-infinity");
pub const CREATED_DOWN: Order = order!("created_at" as "timestamptz" down from "infinity");
pub const UPDATED: Order = order!("updated_at" as "timestamptz" from "-infinity");
pub const UPDATED_DOWN: Order = order!("updated_at" as "timestamptz" down from "infinity");
// Tasks without a due time come last in both directions. CASE, as in the indexes: with row-level security, PostgreSQL
// would not use an index on coalesce.
pub const DUE: Order =
    order!("CASE WHEN due_at IS NULL THEN 'infinity' ELSE due_at END" as "timestamptz" from "-infinity");
pub const DUE_DOWN: Order =
    order!("CASE WHEN due_at IS NULL THEN '-infinity' ELSE due_at END" as "timestamptz" down from "infinity");
pub const BOARD: Order = on_board!(">", "", "''", "'00000000-0000-0000-0000-000000000000'", from "000", false);
pub const BOARD_DOWN: Order =
    on_board!("<", " DESC", "'~'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'", from "999~", true);
// Each page of these sorts the project's tasks: indexes for these rare orders would slow down every change of a task.
pub const PRIORITY: Order =
    order!("array_position(ARRAY['none', 'low', 'medium', 'high', 'urgent'], priority)" as "integer" from "0");
pub const PRIORITY_DOWN: Order =
    order!("array_position(ARRAY['none', 'low', 'medium', 'high', 'urgent'], priority)" as "integer" down from "9");
pub const TITLE: Order = order!("(lower(title) COLLATE \"C\")" as "text" from "");
pub const TITLE_DOWN: Order = order!("(lower(title) COLLATE \"C\")" as "text" down from "\u{10FFFF}\u{10FFFF}");
// Order of the board for tasks that are not on it. $13 has the columns in order.
pub const RANK: Order = Order {
    by_column: true,
    ..order!(
        "(to_char(coalesce(array_position($13, column_id), 999), 'FM000') || rank COLLATE \"C\")" as "text" from ""
    )
};
pub const RANK_DOWN: Order = Order {
    by_column: true,
    ..order!(
        "(to_char(coalesce(array_position($13, column_id), 999), 'FM000') || rank COLLATE \"C\")" as "text" down from "a"
    )
};
