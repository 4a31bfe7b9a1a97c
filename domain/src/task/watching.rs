//! Watching a task: who is notified of it, and what is decided when somebody asks to be, or not to be.
//!
//! Its creator, its assignees and whoever comments on it watch it, as does whoever asks to. Whoever asks not to stops,
//! until they are assigned again, comment again or ask again.

use serde::{Deserialize, Serialize};

use super::aspect::{Aspect, CommentChange};
use super::events::TaskEvent;
use crate::ids::UserId;
use crate::watching::{Unwatched, Watched, Watcher, WatcherChange};

/// People who are notified of a task, in the order in which they began to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watchers(Vec<UserId>);

impl Watchers {
    /// Watchers of a new task.
    pub fn of_new(creator: Option<UserId>, assignees: &[UserId]) -> Self {
        let mut watchers = Self::default();
        creator.iter().chain(assignees).for_each(|user| watchers.add(*user));
        watchers
    }

    pub fn apply(&mut self, event: &TaskEvent) {
        match event.aspect() {
            Aspect::Assignees(assignees) => {
                let new = assignees.to.iter().filter(|user| !assignees.from.contains(user));
                new.for_each(|user| self.add(*user));
            }
            Aspect::Comment(CommentChange::Added(comment)) => self.add(comment.author_id),
            Aspect::Watcher(WatcherChange::Added(user)) => self.add(user),
            Aspect::Watcher(WatcherChange::Removed(user)) => self.0.retain(|watcher| *watcher != user),
            Aspect::Created(_)
            | Aspect::Field
            | Aspect::Status(_)
            | Aspect::Parent(_)
            | Aspect::Dependencies(_)
            | Aspect::Comment(
                CommentChange::Edited(_)
                | CommentChange::Removed(_)
                | CommentChange::ReactionAdded(_)
                | CommentChange::ReactionRemoved(_),
            )
            | Aspect::Attachment(_)
            | Aspect::DueStage(_)
            | Aspect::Deletion(_) => {}
        }
    }

    fn add(&mut self, user: UserId) {
        if !self.contains(user) {
            self.0.push(user);
        }
    }

    pub fn contains(&self, user: UserId) -> bool {
        self.0.contains(&user)
    }

    pub fn as_slice(&self) -> &[UserId] {
        &self.0
    }
}

/// People who asked not to be notified and do not watch since. The creator of a task is not named in its events, so
/// that somebody who is not known to watch may watch nevertheless, unless they are here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OptOuts(Vec<UserId>);

impl OptOuts {
    /// Applies an event that was applied to the watchers already.
    pub(super) fn apply(&mut self, event: &TaskEvent, watchers: &Watchers) {
        if let Aspect::Watcher(WatcherChange::Removed(user)) = event.aspect() {
            self.0.push(user);
        }
        self.0.retain(|user| !watchers.contains(*user));
    }

    pub(super) fn as_slice(&self) -> &[UserId] {
        &self.0
    }
}

/// Decides on a person's request to watch, or to watch no longer.
pub(super) fn decide(watchers: &Watchers, opt_outs: &OptOuts, user: UserId, wanted: bool) -> Option<TaskEvent> {
    let watcher = Watcher { user_id: user };
    if wanted {
        (!watchers.contains(user)).then(|| TaskEvent::Watched(Watched { watcher: watcher.into() }))
    } else {
        (!opt_outs.0.contains(&user)).then(|| TaskEvent::Unwatched(Unwatched { watcher: watcher.into() }))
    }
}
