//! Watching a task: who is notified of it, and what is decided when somebody asks to be, or not to be.
//!
//! Its creator, its assignees and whoever comments on it watch it, as does whoever asks to. Whoever asks not to stops,
//! until they are assigned again, comment again or ask again. Whoever watches only because they are assigned stops when
//! they are unassigned.

use serde::{Deserialize, Serialize};

use super::aspect::{Aspect, CommentChange};
use super::events::TaskEvent;
use super::fields::Fields;
use crate::ids::UserId;
use crate::watching::{Unwatched, Watched, Watcher, WatcherChange};

/// People who are notified of a task, in the order in which they began to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watchers(Vec<UserId>);

impl Watchers {
    fn add(&mut self, user: UserId) {
        if !self.contains(user) {
            self.0.push(user);
        }
    }

    fn remove(&mut self, user: UserId) {
        self.0.retain(|watcher| *watcher != user);
    }

    pub fn contains(&self, user: UserId) -> bool {
        self.0.contains(&user)
    }

    pub fn as_slice(&self) -> &[UserId] {
        &self.0
    }
}

impl Fields {
    /// Makes the creator and the assignees of a new task watch it.
    pub(super) fn watch_new(&mut self, creator: Option<UserId>) {
        creator.iter().for_each(|user| self.watcher_ids.add(*user));
        let assignees = self.assignee_ids.clone();
        assignees.iter().for_each(|user| self.watch_as_assignee(*user));
    }

    /// Applies an event to the watchers.
    pub(super) fn apply_to_watchers(&mut self, event: &TaskEvent) {
        match event.aspect() {
            Aspect::Assignees(assignees) => {
                let new = assignees.to.iter().filter(|user| !assignees.from.contains(user));
                new.for_each(|user| self.watch_as_assignee(*user));
                let unassigned = assignees.from.iter().filter(|user| !assignees.to.contains(user));
                for user in unassigned {
                    if self.assigned_watcher_ids.contains(user) {
                        self.unwatch(*user);
                    }
                }
            }
            Aspect::Comment(CommentChange::Added(comment)) => self.watch(comment.author_id),
            Aspect::Watcher(WatcherChange::Added(user)) => self.watch(user),
            Aspect::Watcher(WatcherChange::Removed(user)) => self.unwatch(user),
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

    fn watch(&mut self, user: UserId) {
        self.watcher_ids.add(user);
        self.assigned_watcher_ids.retain(|assignee| *assignee != user);
    }

    fn watch_as_assignee(&mut self, user: UserId) {
        if !self.watcher_ids.contains(user) {
            self.watcher_ids.add(user);
            self.assigned_watcher_ids.push(user);
        }
    }

    fn unwatch(&mut self, user: UserId) {
        self.watcher_ids.remove(user);
        self.assigned_watcher_ids.retain(|assignee| *assignee != user);
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

/// Decides on a person's request to watch, or to watch no longer. An assignee who asks to watch continues when they are
/// unassigned.
pub(super) fn decide(fields: &Fields, opt_outs: &OptOuts, user: UserId, wanted: bool) -> Option<TaskEvent> {
    let watcher = Watcher { user_id: user };
    if wanted {
        let watches = fields.watcher_ids.contains(user) && !fields.assigned_watcher_ids.contains(&user);
        (!watches).then(|| TaskEvent::Watched(Watched { watcher: watcher.into() }))
    } else {
        (!opt_outs.0.contains(&user)).then(|| TaskEvent::Unwatched(Unwatched { watcher: watcher.into() }))
    }
}
