//! Commands that a task accepts now, by role.

use super::commands::TaskCommand;
use super::lifecycle::{Action, Status};
use crate::role::Role;

/// Circumstances that decide which commands a task accepts.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub status: Status,
    pub archived: bool,
    pub deleted: bool,
    pub project_archived: bool,
}

/// Commands without a button of their own: the comment, checklist or file they are about decides.
const INNER: [&str; 3] = ["task.create", "task.remind", "task.edit_comment"];

/// Names of the commands that somebody in this role may send now, without `task.`: for a client's buttons.
pub fn allowed(role: Role, standing: Standing) -> Vec<&'static str> {
    let open = |name: &str| match name {
        "task.watch" | "task.unwatch" => !standing.deleted,
        _ if standing.project_archived => false,
        "task.restore" => standing.deleted,
        _ if standing.deleted => false,
        "task.archive" => !standing.archived,
        "task.unarchive" => standing.archived,
        name => lifecycle(name).is_none_or(|action| standing.status.allowed().contains(&action)),
    };
    TaskCommand::TABLE
        .iter()
        .filter(|(name, needs)| role >= *needs && !INNER.contains(name) && open(name))
        .filter_map(|(name, _)| name.strip_prefix("task."))
        .collect()
}

fn lifecycle(name: &str) -> Option<Action> {
    Action::ALL.iter().copied().find(|action| name.strip_prefix("task.") == Some(action.as_str()))
}
