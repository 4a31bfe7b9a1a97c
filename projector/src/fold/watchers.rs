use taskfold_domain::TaskEvent;
use uuid::Uuid;

use crate::rows::TaskRow;

/// Whoever makes a task, and whoever is assigned to it from the start, watches it.
pub fn follow_from_start(row: &mut TaskRow, author: Uuid) {
    add(row, author);
    for assignee in row.assignee_ids.clone() {
        add(row, assignee);
    }
}

/// So does whoever is assigned later or comments, and whoever asks to; until they ask not to.
pub fn follow(row: &mut TaskRow, actor: Uuid, event: &TaskEvent) {
    match event {
        TaskEvent::Assigned(e) => {
            for user in e.assignee_ids.to.iter().filter(|user| !e.assignee_ids.from.contains(user)) {
                add(row, user.0);
            }
        }
        TaskEvent::Commented(_) => add(row, actor),
        TaskEvent::Watched(e) => add(row, e.watcher.to.user_id.0),
        TaskEvent::Unwatched(e) => row.watcher_ids.retain(|user| *user != e.watcher.from.user_id.0),
        _ => {}
    }
}

fn add(row: &mut TaskRow, user: Uuid) {
    if !row.watcher_ids.contains(&user) {
        row.watcher_ids.push(user);
    }
}
