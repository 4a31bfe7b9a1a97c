use std::collections::BTreeSet;

use chrono::TimeDelta;
use taskfold_domain::ids::UserId;
use taskfold_domain::task::events::Created;
use taskfold_domain::{NotificationKind, TaskEvent};
use uuid::Uuid;

use super::Decoded;
use crate::rows::NotificationRow;
use crate::tables::Tables;

/// What was recorded so long after it happened is history, such as an imported board's: it is no news to anybody.
const NEWS: TimeDelta = TimeDelta::days(7);

impl Tables {
    pub fn notify_of_new(&mut self, decoded: &Decoded<'_>, created: &Created) {
        let assigned: BTreeSet<Uuid> = created.assignee_ids.to.iter().map(|user| user.0).collect();
        let others = &self.project_watchers(decoded) - &assigned;
        self.tell(decoded, NotificationKind::Assigned, None, &assigned);
        self.tell(decoded, NotificationKind::Created, None, &others);
    }

    /// Who is told of a change, each once, for the reason that concerns them most.
    pub fn notify(&mut self, decoded: &Decoded<'_>, event: &TaskEvent) {
        match event {
            TaskEvent::Assigned(e) => {
                let new = e.assignee_ids.to.iter().filter(|user| !e.assignee_ids.from.contains(user));
                self.tell(decoded, NotificationKind::Assigned, None, &new.map(|user| user.0).collect());
            }
            TaskEvent::Commented(e) => {
                let comment = Some(e.comment.to.id.0);
                let mentioned = ids(&e.comment.to.mentions);
                let others = &self.watchers(decoded) - &mentioned;
                self.tell(decoded, NotificationKind::Mentioned, comment, &mentioned);
                self.tell(decoded, NotificationKind::Commented, comment, &others);
            }
            TaskEvent::CommentEdited(e) => {
                let mentioned = &ids(&e.comment.to.mentions) - &ids(&e.comment.from.mentions);
                self.tell(decoded, NotificationKind::Mentioned, Some(e.comment.to.id.0), &mentioned);
            }
            TaskEvent::Completed(_) => {
                let watchers = self.watchers(decoded);
                self.tell(decoded, NotificationKind::Completed, None, &watchers);
            }
            TaskEvent::DueSoon(_) => {
                let watchers = self.task_watchers(decoded);
                self.tell(decoded, NotificationKind::DueSoon, None, &watchers);
            }
            TaskEvent::Overdue(_) => {
                let watchers = self.task_watchers(decoded);
                self.tell(decoded, NotificationKind::Overdue, None, &watchers);
            }
            _ => {}
        }
    }

    fn watchers(&self, decoded: &Decoded<'_>) -> BTreeSet<Uuid> {
        &self.task_watchers(decoded) | &self.project_watchers(decoded)
    }

    fn task_watchers(&self, decoded: &Decoded<'_>) -> BTreeSet<Uuid> {
        self.tasks.get(&decoded.id).into_iter().flat_map(|row| row.watcher_ids.iter().copied()).collect()
    }

    fn project_watchers(&self, decoded: &Decoded<'_>) -> BTreeSet<Uuid> {
        let Some(project) = decoded.logged.project_id else { return BTreeSet::new() };
        let watchers = match (self.projects.get(&project), &self.history) {
            (Some(row), _) => Some(row.watcher_ids.as_slice()),
            (None, Some(history)) => history.watchers(project, decoded.logged.position),
            (None, None) => None,
        };
        watchers.into_iter().flatten().copied().collect()
    }

    /// Nobody is told of what they did themselves.
    fn tell(
        &mut self,
        decoded: &Decoded<'_>,
        kind: NotificationKind,
        comment_id: Option<Uuid>,
        users: &BTreeSet<Uuid>,
    ) {
        let logged = decoded.logged;
        let Some(project_id) = logged.project_id else { return };
        if logged.recorded_at - logged.occurred_at > NEWS {
            return;
        }
        for user in users.iter().filter(|user| **user != logged.actor_id) {
            self.notifications.put(NotificationRow {
                notification_id: id(logged.position, *user),
                user_id: *user,
                position: logged.position,
                kind,
                project_id,
                task_id: decoded.id,
                comment_id,
                actor_id: logged.actor_id,
                occurred_at: logged.occurred_at,
            });
        }
    }
}

fn ids(users: &[UserId]) -> BTreeSet<Uuid> {
    users.iter().map(|user| user.0).collect()
}

/// The same whenever the log is folded: one event tells one person one thing.
fn id(position: i64, user: Uuid) -> Uuid {
    Uuid::new_v5(&user, &position.to_be_bytes())
}
