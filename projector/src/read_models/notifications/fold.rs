//! Fold of events into notifications.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use taskfold_domain::ids::UserId;
use taskfold_domain::task::{Aspect, CommentChange};
use taskfold_domain::task::{DueStage, Status};
use taskfold_domain::{NotificationKind, TaskEvent};
use uuid::Uuid;

use super::NotificationRow;
use crate::decoded::Decoded;
use crate::tables::{Keys, Tables};

/// Age of an event, when it was recorded, beyond which it is history, such as an imported board's, and nobody is
/// notified.
const HISTORY: TimeDelta = TimeDelta::days(7);

type People = BTreeSet<UserId>;

/// Watchers of a project are notified of its tasks.
pub fn keys(keys: &mut Keys, decoded: &Decoded<'_>) {
    keys.projects.extend(decoded.logged.project_id);
}

/// Notifies each person once, for the reason that concerns them most. Runs after the task's row has the event.
pub fn apply(tables: &mut Tables, decoded: &Decoded<'_>, event: &TaskEvent) {
    match event.aspect() {
        Aspect::Created(created) => {
            let assigned = people(&created.assignee_ids.to);
            let others = &project_watchers(tables, decoded) - &assigned;
            notify(tables, decoded, NotificationKind::Assigned, None, &assigned);
            notify(tables, decoded, NotificationKind::Created, None, &others);
        }
        Aspect::Assignees(assignees) => {
            let new = &people(&assignees.to) - &people(&assignees.from);
            notify(tables, decoded, NotificationKind::Assigned, None, &new);
        }
        Aspect::Comment(CommentChange::Added(comment)) => {
            let mentioned = people(&comment.mentions);
            let others = &watchers(tables, decoded) - &mentioned;
            notify(tables, decoded, NotificationKind::Mentioned, Some(comment.id.0), &mentioned);
            notify(tables, decoded, NotificationKind::Commented, Some(comment.id.0), &others);
        }
        Aspect::Comment(CommentChange::Edited(body)) => {
            let mentioned = &people(&body.to.mentions) - &people(&body.from.mentions);
            notify(tables, decoded, NotificationKind::Mentioned, Some(body.to.id.0), &mentioned);
        }
        Aspect::Status(Status::Completed) => {
            let watchers = watchers(tables, decoded);
            notify(tables, decoded, NotificationKind::Completed, None, &watchers);
        }
        Aspect::DueStage(stage) => {
            let kind = match stage {
                DueStage::DueSoon => NotificationKind::DueSoon,
                DueStage::Overdue => NotificationKind::Overdue,
            };
            let watchers = task_watchers(tables, decoded);
            notify(tables, decoded, kind, None, &watchers);
        }
        Aspect::Status(Status::Todo | Status::Running | Status::Paused | Status::Cancelled | Status::Failed)
        | Aspect::Comment(
            CommentChange::Removed(_) | CommentChange::ReactionAdded(_) | CommentChange::ReactionRemoved(_),
        )
        | Aspect::Field
        | Aspect::Parent(_)
        | Aspect::Dependencies(_)
        | Aspect::Attachment(_)
        | Aspect::Watcher(_)
        | Aspect::Deletion(_) => {}
    }
}

fn watchers(tables: &Tables, decoded: &Decoded<'_>) -> People {
    &task_watchers(tables, decoded) | &project_watchers(tables, decoded)
}

fn task_watchers(tables: &Tables, decoded: &Decoded<'_>) -> People {
    tables.tasks.get(&decoded.id).map(|row| people(row.fields.watcher_ids.as_slice())).unwrap_or_default()
}

fn project_watchers(tables: &Tables, decoded: &Decoded<'_>) -> People {
    let Some(project) = decoded.logged.project_id else { return People::new() };
    let watchers = match (tables.projects.get(&project), &tables.history) {
        (Some(row), _) => Some(row.fields.watcher_ids.as_slice()),
        (None, Some(history)) => history.watchers(project, decoded.logged.position),
        (None, None) => None,
    };
    people(watchers.unwrap_or_default())
}

/// Nobody is notified of what they did themselves.
fn notify(
    tables: &mut Tables,
    decoded: &Decoded<'_>,
    kind: NotificationKind,
    comment_id: Option<Uuid>,
    recipients: &People,
) {
    let logged = decoded.logged;
    let Some(project_id) = logged.project_id else { return };
    if logged.recorded_at - logged.occurred_at > HISTORY {
        return;
    }
    for user in recipients.iter().map(|user| user.0).filter(|user| *user != logged.actor_id) {
        tables.notifications.put(NotificationRow {
            notification_id: id(logged.position, user),
            user_id: user,
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

fn people(users: &[UserId]) -> People {
    users.iter().copied().collect()
}

/// Derived from the event and the person, so that it is the same whenever the log is folded: an event notifies a person
/// once.
fn id(position: i64, user: Uuid) -> Uuid {
    Uuid::new_v5(&user, &position.to_be_bytes())
}
