//! What each event does to the rows. The same code projects live, rebuilds, and folds afresh for `verify`.

use std::collections::HashSet;

use taskfold_domain::change::Event;
use taskfold_domain::project::Member;
use taskfold_domain::task::{place_item, take_item};
use taskfold_domain::{ProjectEvent, TaskEvent};
use taskfold_event_log::{LogError, LoggedEvent};
use uuid::Uuid;

use crate::tables::{AttachmentRow, CommentRow, MemberRow, ProjectRow, Tables, TaskRow};

/// An event, decoded.
pub struct Decoded<'a> {
    pub logged: &'a LoggedEvent,
    pub id: Uuid,
    pub event: Event,
}

impl<'a> Decoded<'a> {
    pub fn new(logged: &'a LoggedEvent) -> Result<Self, LogError> {
        Ok(Self { logged, id: logged.subject()?.id, event: logged.event()? })
    }
}

/// The rows that events touch.
#[derive(Default)]
pub struct Keys {
    pub tasks: HashSet<Uuid>,
    pub projects: HashSet<Uuid>,
    pub members: HashSet<(Uuid, Uuid)>,
    pub comments: HashSet<(Uuid, Uuid)>,
    pub attachments: HashSet<(Uuid, Uuid)>,
}

impl Keys {
    pub fn add(&mut self, decoded: &Decoded<'_>) {
        let id = decoded.id;
        match &decoded.event {
            Event::Task(event) => {
                self.tasks.insert(id);
                let comment = match event {
                    TaskEvent::Commented(e) => Some(e.comment.to.id),
                    TaskEvent::CommentEdited(e) => Some(e.comment.to.id),
                    TaskEvent::CommentRemoved(e) => Some(e.comment.from.id),
                    _ => None,
                };
                self.comments.extend(comment.map(|c| (id, c.0)));
                let attachment = match event {
                    TaskEvent::AttachmentAdded(e) => Some(e.attachment.to.id),
                    TaskEvent::AttachmentRemoved(e) => Some(e.attachment.from.id),
                    _ => None,
                };
                self.attachments.extend(attachment.map(|a| (id, a.0)));
            }
            Event::Project(event) => {
                self.projects.insert(id);
                let user = match event {
                    ProjectEvent::MemberAdded(e) => Some(e.member.to.user_id),
                    ProjectEvent::MemberRoleChanged(e) => Some(e.member.to.user_id),
                    ProjectEvent::MemberRemoved(e) => Some(e.member.from.user_id),
                    _ => None,
                };
                self.members.extend(user.map(|u| (id, u.0)));
            }
        }
    }
}

/// Why an event was not folded.
#[derive(Debug, thiserror::Error)]
#[error("it is about a {0} that has no row")]
pub struct NoRow(&'static str);

impl Tables {
    pub fn apply(&mut self, decoded: &Decoded<'_>) -> Result<(), NoRow> {
        match &decoded.event {
            Event::Task(TaskEvent::Created(_)) | Event::Project(ProjectEvent::Created(_)) => {
                self.create(decoded);
                Ok(())
            }
            Event::Task(event) => self.apply_task(decoded, event),
            Event::Project(event) => self.apply_project(decoded, event),
        }
    }

    fn create(&mut self, decoded: &Decoded<'_>) {
        let logged = decoded.logged;
        let (created_at, updated_at) = (logged.occurred_at, logged.recorded_at);
        match &decoded.event {
            Event::Task(TaskEvent::Created(e)) => self.tasks.put(TaskRow {
                task_id: decoded.id,
                project_id: e.project_id.to.0,
                title: e.title.to.clone(),
                description: e.description.to.clone(),
                status: e.status.to,
                running_since: None,
                elapsed_ms: 0,
                reason: None,
                progress: None,
                column_id: e.column_id.to.0,
                rank: e.rank.to.as_str().to_owned(),
                priority: e.priority.to,
                assignee_ids: e.assignee_ids.to.iter().map(|u| u.0).collect(),
                label_ids: e.label_ids.to.iter().map(|l| l.0).collect(),
                start_at: e.start_at.to.map(Into::into),
                due_at: e.due_at.to.map(Into::into),
                estimate_minutes: e.estimate_minutes.to,
                parent_id: e.parent_id.to.map(|p| p.0),
                archived: false,
                deleted: false,
                deleted_at: None,
                deleted_by: None,
                checklists: Vec::new(),
                comment_count: 0,
                attachment_count: 0,
                created_at,
                created_by: logged.actor_id,
                updated_at,
                version: logged.sequence,
                position: logged.position,
            }),
            Event::Project(ProjectEvent::Created(e)) => {
                self.projects.put(ProjectRow {
                    project_id: decoded.id,
                    name: e.name.to.clone(),
                    description: e.description.to.clone(),
                    columns: e.columns.to.clone(),
                    labels: Vec::new(),
                    archived: false,
                    created_at,
                    created_by: logged.actor_id,
                    updated_at,
                    version: logged.sequence,
                    position: logged.position,
                });
                for member in &e.members.to {
                    self.put_member(decoded, *member);
                }
            }
            Event::Task(_) | Event::Project(_) => {}
        }
    }

    fn put_member(&mut self, decoded: &Decoded<'_>, member: Member) {
        self.members.put(MemberRow {
            project_id: decoded.id,
            user_id: member.user_id.0,
            role: member.role,
            position: decoded.logged.position,
        });
    }

    fn apply_project(&mut self, decoded: &Decoded<'_>, event: &ProjectEvent) -> Result<(), NoRow> {
        let logged = decoded.logged;
        let row = self.projects.get_mut(&decoded.id).ok_or(NoRow("project"))?;
        let mut board = row.board();
        board.apply(event.clone());
        row.name = board.name;
        row.description = board.description;
        row.columns = board.columns;
        row.labels = board.labels;
        row.archived = board.archived;
        row.updated_at = logged.recorded_at;
        row.version = logged.sequence;
        row.position = logged.position;
        match event {
            ProjectEvent::MemberAdded(e) => self.put_member(decoded, e.member.to),
            ProjectEvent::MemberRoleChanged(e) => {
                let key = (decoded.id, e.member.to.user_id.0);
                self.members.get_mut(&key).ok_or(NoRow("member"))?.role = e.member.to.role;
            }
            ProjectEvent::MemberRemoved(e) => self.members.remove(&(decoded.id, e.member.from.user_id.0)),
            _ => {}
        }
        Ok(())
    }

    fn apply_task(&mut self, decoded: &Decoded<'_>, event: &TaskEvent) -> Result<(), NoRow> {
        let logged = decoded.logged;
        let row = self.tasks.get_mut(&decoded.id).ok_or(NoRow("task"))?;
        row.updated_at = logged.recorded_at;
        row.version = logged.sequence;
        row.position = logged.position;
        match event {
            TaskEvent::Created(_) => {}
            TaskEvent::Renamed(e) => row.title.clone_from(&e.title.to),
            TaskEvent::Described(e) => row.description.clone_from(&e.description.to),
            TaskEvent::Moved(e) => {
                if let Some(column_id) = &e.column_id {
                    row.column_id = column_id.to.0;
                }
                row.rank = e.rank.to.as_str().to_owned();
            }
            TaskEvent::Assigned(e) | TaskEvent::Unassigned(e) => {
                row.assignee_ids = e.assignee_ids.to.iter().map(|u| u.0).collect();
            }
            TaskEvent::Labeled(e) | TaskEvent::Unlabeled(e) => {
                row.label_ids = e.label_ids.to.iter().map(|l| l.0).collect();
            }
            TaskEvent::Prioritized(e) => row.priority = e.priority.to,
            TaskEvent::Scheduled(e) => {
                if let Some(start_at) = &e.start_at {
                    row.start_at = start_at.to.map(Into::into);
                }
                if let Some(due_at) = &e.due_at {
                    row.due_at = due_at.to.map(Into::into);
                }
            }
            TaskEvent::Estimated(e) => row.estimate_minutes = e.estimate_minutes.to,
            TaskEvent::Started(e)
            | TaskEvent::Paused(e)
            | TaskEvent::Resumed(e)
            | TaskEvent::Completed(e)
            | TaskEvent::Cancelled(e)
            | TaskEvent::Failed(e)
            | TaskEvent::Reopened(e) => {
                row.status = e.status.to;
                if let Some(since) = &e.running_since {
                    row.running_since = since.to.map(Into::into);
                }
                if let Some(elapsed) = &e.elapsed_ms {
                    row.elapsed_ms = elapsed.to;
                }
                if let Some(reason) = &e.reason {
                    row.reason.clone_from(&reason.to);
                }
            }
            TaskEvent::Progressed(e) => row.progress = e.progress.to,
            TaskEvent::Archived(e) | TaskEvent::Unarchived(e) => row.archived = e.archived.to,
            TaskEvent::Deleted(e) | TaskEvent::Restored(e) => {
                row.deleted = e.deleted.to;
                row.deleted_at = e.deleted_at.to.map(Into::into);
                row.deleted_by = e.deleted_by.to.map(|u| u.0);
            }
            TaskEvent::ChecklistAdded(e) => row.checklists.push(e.checklist.to.clone()),
            TaskEvent::ChecklistRenamed(e) => {
                if let Some(list) = row.checklists.iter_mut().find(|c| c.id == e.checklist.to.id) {
                    list.title.clone_from(&e.checklist.to.title);
                }
            }
            TaskEvent::ChecklistRemoved(e) => row.checklists.retain(|c| c.id != e.checklist.from.id),
            TaskEvent::ChecklistItemAdded(e) => place_item(&mut row.checklists, e.item.to.clone()),
            TaskEvent::ChecklistItemChanged(e) => {
                take_item(&mut row.checklists, &e.item.from);
                place_item(&mut row.checklists, e.item.to.clone());
            }
            TaskEvent::ChecklistItemRemoved(e) => take_item(&mut row.checklists, &e.item.from),
            TaskEvent::Commented(_) => row.comment_count += 1,
            TaskEvent::CommentRemoved(_) => row.comment_count = row.comment_count.saturating_sub(1),
            TaskEvent::CommentEdited(_) => {}
            TaskEvent::AttachmentAdded(_) => row.attachment_count += 1,
            TaskEvent::AttachmentRemoved(_) => row.attachment_count = row.attachment_count.saturating_sub(1),
        }
        self.apply_attachment(decoded, event);
        self.apply_comment(decoded, event)
    }

    fn apply_attachment(&mut self, decoded: &Decoded<'_>, event: &TaskEvent) {
        let logged = decoded.logged;
        match event {
            TaskEvent::AttachmentAdded(e) => {
                let attachment = &e.attachment.to;
                self.attachments.put(AttachmentRow {
                    task_id: decoded.id,
                    attachment_id: attachment.id.0,
                    project_id: logged.project_id,
                    author_id: attachment.author_id.0,
                    file_name: attachment.file_name.clone(),
                    content_type: attachment.content_type.clone(),
                    size: attachment.size,
                    sha256: attachment.sha256.clone(),
                    created_at: logged.occurred_at,
                    position: logged.position,
                });
            }
            TaskEvent::AttachmentRemoved(e) => self.attachments.remove(&(decoded.id, e.attachment.from.id.0)),
            _ => {}
        }
    }

    fn apply_comment(&mut self, decoded: &Decoded<'_>, event: &TaskEvent) -> Result<(), NoRow> {
        let logged = decoded.logged;
        match event {
            TaskEvent::Commented(e) => {
                let comment = &e.comment.to;
                self.comments.put(CommentRow {
                    task_id: decoded.id,
                    comment_id: comment.id.0,
                    project_id: logged.project_id,
                    author_id: comment.author_id.0,
                    text: comment.text.clone(),
                    mentions: comment.mentions.iter().map(|u| u.0).collect(),
                    created_at: logged.occurred_at,
                    edited_at: None,
                    position: logged.position,
                });
            }
            TaskEvent::CommentEdited(e) => {
                let comment = &e.comment.to;
                let row = self.comments.get_mut(&(decoded.id, comment.id.0)).ok_or(NoRow("comment"))?;
                row.text.clone_from(&comment.text);
                row.mentions = comment.mentions.iter().map(|u| u.0).collect();
                row.edited_at = Some(logged.occurred_at);
            }
            TaskEvent::CommentRemoved(e) => self.comments.remove(&(decoded.id, e.comment.from.id.0)),
            _ => {}
        }
        Ok(())
    }
}
