//! One fixed text for each order. A page starts behind a key and an id, or before everything.

use crate::http::view::task_fields;

/// How a list of tasks is sorted: by a key, and by id where keys are equal.
pub struct Order {
    pub sql: &'static str,
    /// The key and the id before everything: `true` for the greatest of ids.
    pub start: (&'static str, bool),
}

macro_rules! order {
    ($key:literal as $type:literal from $start:literal) => {
        Order { sql: order!(@sql $key, $type, ">", ""), start: ($start, false) }
    };
    ($key:literal as $type:literal down from $start:literal) => {
        Order { sql: order!(@sql $key, $type, "<", " DESC"), start: ($start, true) }
    };
    (@sql $key:literal, $type:literal, $behind:literal, $direction:literal) => {
        concat!(
            "SELECT ", task_fields!(), ", description, checklists, watcher_ids, (", $key, ")::text AS sort_key FROM tasks \
             WHERE project_id = $1 \
               AND ($2::text IS NULL OR status = $2) \
               AND ($3::uuid IS NULL OR $3 = ANY (assignee_ids)) \
               AND ($4::uuid IS NULL OR $4 = ANY (label_ids)) \
               AND ($5::uuid IS NULL OR column_id = $5) \
               AND ($6::text IS NULL OR priority = $6) \
               AND ($7::timestamptz IS NULL OR due_at < $7) \
               AND ($8::timestamptz IS NULL OR due_at >= $8) \
               AND ($9::timestamptz IS NULL OR updated_at >= $9) \
               AND ($10::text IS NULL OR title ILIKE $10 OR description ILIKE $10) \
               AND deleted = $11 \
               AND ($12::boolean IS NULL OR archived = $12) \
               AND cardinality($13::uuid[]) >= 0 \
               AND (", $key, ", task_id) ", $behind, " ($14::text::", $type, ", $15) \
             ORDER BY ", $key, $direction, ", task_id", $direction, " LIMIT $16"
        )
    };
}

pub const CREATED: Order = order!("created_at" as "timestamptz" from "-infinity");
pub const CREATED_DOWN: Order = order!("created_at" as "timestamptz" down from "infinity");
pub const UPDATED: Order = order!("updated_at" as "timestamptz" from "-infinity");
pub const UPDATED_DOWN: Order = order!("updated_at" as "timestamptz" down from "infinity");
// Tasks that are never due come last either way.
pub const DUE: Order = order!("coalesce(due_at, 'infinity')" as "timestamptz" from "-infinity");
pub const DUE_DOWN: Order = order!("coalesce(due_at, '-infinity')" as "timestamptz" down from "infinity");
pub const PRIORITY: Order =
    order!("array_position(ARRAY['none', 'low', 'medium', 'high', 'urgent'], priority)" as "integer" from "0");
pub const PRIORITY_DOWN: Order =
    order!("array_position(ARRAY['none', 'low', 'medium', 'high', 'urgent'], priority)" as "integer" down from "9");
pub const TITLE: Order = order!("(lower(title) COLLATE \"C\")" as "text" from "");
pub const TITLE_DOWN: Order = order!("(lower(title) COLLATE \"C\")" as "text" down from "\u{10FFFF}\u{10FFFF}");
// Column by column as on the board, $13 being the columns in their order.
pub const RANK: Order = order!(
    "(to_char(coalesce(array_position($13, column_id), 999), 'FM000') || rank COLLATE \"C\")" as "text" from ""
);
pub const RANK_DOWN: Order = order!(
    "(to_char(coalesce(array_position($13, column_id), 999), 'FM000') || rank COLLATE \"C\")" as "text" down from "a"
);
