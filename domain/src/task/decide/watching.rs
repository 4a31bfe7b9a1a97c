use crate::ids::UserId;
use crate::project::Watcher;
use crate::project::events::{Unwatched, Watched};
use crate::task::events::TaskEvent;
use crate::task::state::Card;

/// Whoever made a task, is assigned to it or comments on it watches it by that; this is for all others, and against it.
pub fn watch(card: &Card, user: UserId, wanted: bool) -> Vec<TaskEvent> {
    let said = if wanted { &card.watching } else { &card.not_watching };
    if said.contains(&user) {
        return vec![];
    }
    let watcher = Watcher { user_id: user };
    vec![if wanted {
        TaskEvent::Watched(Watched { watcher: watcher.into() })
    } else {
        TaskEvent::Unwatched(Unwatched { watcher: watcher.into() })
    }]
}
