use super::commands::TaskCommand;
use super::lifecycle::{Action, Status};
use crate::role::Role;

/// What bears on what may be asked of a task.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub status: Status,
    pub archived: bool,
    pub deleted: bool,
    pub project_archived: bool,
}

/// Inner commands, which nobody asks for by a button of its own: what hangs on a comment, a checklist or a file decides.
const INNER: [&str; 3] = ["task.create", "task.remind", "task.edit_comment"];

/// The names of the commands that somebody in this role may send now, without `task.`: for a client's buttons.
pub fn allowed(role: Role, standing: Standing) -> Vec<&'static str> {
    let open = |name: &str| match name {
        "task.watch" | "task.unwatch" => true,
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
    Some(match name {
        "task.start" => Action::Start,
        "task.pause" => Action::Pause,
        "task.resume" => Action::Resume,
        "task.complete" => Action::Complete,
        "task.cancel" => Action::Cancel,
        "task.fail" => Action::Fail,
        "task.reopen" => Action::Reopen,
        "task.progress" => Action::Progress,
        _ => return None,
    })
}
