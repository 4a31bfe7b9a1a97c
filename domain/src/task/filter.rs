//! Filters of a project's tasks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields::Fields;
use super::lifecycle::Status;
use super::values::Priority;
use crate::Timestamp;
use crate::ids::{ColumnId, LabelId, UserId};
use crate::input::Time;

/// Filter of a project's tasks; absent fields do not filter. Archived tasks are left out unless asked for, deleted ones
/// always.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = TaskFilter)]
pub struct Filter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column_id: Option<ColumnId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_id: Option<LabelId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Due earlier than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_before: Option<Time>,
    /// Due at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_after: Option<Time>,
    /// Archived tasks instead of those that are not.
    pub archived: bool,
}

impl Filter {
    pub fn matches(&self, task: &Fields) -> bool {
        let due = |holds: &dyn Fn(Timestamp) -> bool| task.due_at.is_some_and(holds);
        self.status.is_none_or(|status| task.status == status)
            && self.column_id.is_none_or(|column| task.column_id == column)
            && self.assignee_id.is_none_or(|user| task.assignee_ids.contains(&user))
            && self.label_id.is_none_or(|label| task.label_ids.contains(&label))
            && self.priority.is_none_or(|priority| task.priority == priority)
            && self.due_before.is_none_or(|time| due(&|at| at < time.into()))
            && self.due_after.is_none_or(|time| due(&|at| at >= time.into()))
            && task.archived == self.archived
    }
}
