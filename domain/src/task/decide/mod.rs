//! Decisions on a task: (state, command, context) -> events or a refusal. Nothing else is read.

/// Comments, files and checklists.
mod attached;
/// Status steps and moves, which go together.
mod flow;
/// Parents and dependencies.
mod links;
/// Due times that come near or pass.
mod reminders;
/// Start and due times.
mod schedule;
/// Assignees and labels.
mod sets;

use std::sync::Arc;

use uuid::Uuid;

use super::commands::{CreateTask, TaskCommand};
use super::events::{Archived, Created, Deletion, TaskEvent};
use super::fields::Fields;
use super::lifecycle::{Action, Status};
use super::state::{Card, Situation, Task};
use super::values::Comment;
use super::watching;
use crate::Timestamp;
use crate::access::Access;
use crate::delta::Delta;
use crate::ids::{TaskId, UserId};
use crate::limits::{ASSIGNEES_PER_TASK, LABELS_PER_TASK};
use crate::project::{Board, Category, Project};
use crate::rank::Rank;
use crate::refusal::Refusal;
use crate::team::Team;

/// Facts that a decision depends on besides the task and the command.
#[derive(Clone, Debug)]
pub struct Context {
    pub actor: UserId,
    pub at: Timestamp,
    pub project: Arc<Project>,
    /// For `Move`: the rank found for it, or `None` when it has that already.
    pub rank: Option<Rank>,
    /// Rank at the end of any column.
    pub end: Rank,
    /// Members named in the text of a comment.
    pub mentions: Vec<UserId>,
    /// Used where the command brings no id of its own.
    pub fresh_id: Uuid,
    pub origin: Origin,
    /// Teams that the project gives roles to.
    pub teams: Vec<Arc<Team>>,
    /// Another task that the command names as parent or dependency.
    pub other: Option<Arc<Task>>,
    /// For `AddDependency`: the number of the task's dependencies that are deleted, which do not count.
    pub deleted_dependencies: usize,
    /// For `EditComment` and `RemoveComment`: the comment in the log, if it is there.
    pub comment: Option<Comment>,
}

impl Context {
    fn access<'a>(&'a self, board: &'a Board) -> Access<'a> {
        Access::new(board, &self.teams)
    }
}

/// Origin of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A member, now.
    Live,
    /// Replay of another system's history, whose permission was checked once for the whole.
    Import,
    /// Schedule of due times.
    Clock,
}

/// Decides a command. An empty list means that nothing changes.
pub fn decide(task: &Task, command: &TaskCommand, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    let board = authorized(command, context)?;
    if let TaskCommand::Create(create) = command {
        return match task.situation {
            Situation::Absent => created(create, board, context),
            Situation::Present(_) | Situation::Deleted { .. } => Err(Refusal::AlreadyExists),
        };
    }
    match (&task.situation, command) {
        (Situation::Absent, _) => Err(Refusal::NotFound),
        (Situation::Deleted { card, by, at }, TaskCommand::Restore(_)) => {
            Ok(restored(&card.fields, (*by, *at), board, context))
        }
        (Situation::Deleted { by, at, .. }, _) => Err(Refusal::TaskDeleted { by: *by, at: *at }),
        (Situation::Present(card), command) => on_card(card, command, board, context),
    }
}

fn authorized<'a>(command: &TaskCommand, context: &'a Context) -> Result<&'a Board, Refusal> {
    let board = context.project.board().ok_or(Refusal::NotFound)?;
    match context.origin {
        Origin::Import => return Ok(board),
        Origin::Clock if matches!(command, TaskCommand::Remind(_)) => return Ok(board),
        Origin::Live | Origin::Clock => {}
    }
    let role = context.access(board).role_of(context.actor).ok_or(Refusal::NotFound)?;
    let needs = command.needs();
    if role < needs || matches!(command, TaskCommand::Remind(_)) {
        return Err(Refusal::Forbidden { needs });
    }
    let works_when_archived = matches!(command, TaskCommand::Watch(_) | TaskCommand::Unwatch(_));
    if board.fields.archived && !works_when_archived {
        return Err(Refusal::ProjectArchived);
    }
    Ok(board)
}

fn on_card(card: &Card, command: &TaskCommand, board: &Board, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    let fields = &card.fields;
    match command {
        TaskCommand::Create(_) => Err(Refusal::AlreadyExists),
        TaskCommand::Edit(edit) => {
            let mut events = fields.edited(edit);
            schedule::must_be_in_order(fields, &events, context.origin)?;
            events.extend(links::reparent(fields, edit, context)?);
            Ok(events)
        }
        TaskCommand::Assign(a) => sets::assign(fields, a.user_id, board, context),
        TaskCommand::Unassign(a) => Ok(sets::unassign(fields, a.user_id, board, context)),
        TaskCommand::Label(l) => sets::label(fields, l.label_id, board),
        TaskCommand::Unlabel(l) => Ok(sets::unlabel(fields, l.label_id, board)),
        TaskCommand::Move(to) => flow::moved(fields, to.column_id, board, context),
        TaskCommand::Start(_) => flow::act(fields, Action::Start, None, board, context),
        TaskCommand::Pause(_) => flow::act(fields, Action::Pause, None, board, context),
        TaskCommand::Resume(_) => flow::act(fields, Action::Resume, None, board, context),
        TaskCommand::Complete(_) => flow::act(fields, Action::Complete, None, board, context),
        TaskCommand::Cancel(why) => flow::act(fields, Action::Cancel, why.reason.as_ref(), board, context),
        TaskCommand::Fail(why) => flow::act(fields, Action::Fail, why.reason.as_ref(), board, context),
        TaskCommand::Reopen(_) => flow::act(fields, Action::Reopen, None, board, context),
        TaskCommand::Progress(progress) => flow::progress(fields, progress.percent.get()),
        TaskCommand::Archive(_) => Ok(archived(fields, true)),
        TaskCommand::Unarchive(_) => Ok(archived(fields, false)),
        TaskCommand::Delete(_) => Ok(deleted(fields, context)),
        TaskCommand::Restore(_) => Ok(vec![]),
        TaskCommand::Comment(add) => attached::comment(card, add, context),
        TaskCommand::EditComment(edit) => attached::edit_comment(card, edit, context),
        TaskCommand::RemoveComment(remove) => attached::remove_comment(card, remove.comment_id, board, context),
        TaskCommand::Attach(file) => attached::attach(card, file, context),
        TaskCommand::RemoveAttachment(remove) => {
            attached::remove_attachment(card, remove.attachment_id, board, context)
        }
        TaskCommand::AddChecklist(add) => attached::add_checklist(card, add, context),
        TaskCommand::RenameChecklist(rename) => attached::rename_checklist(card, rename),
        TaskCommand::RemoveChecklist(remove) => attached::remove_checklist(card, remove.checklist_id),
        TaskCommand::AddChecklistItem(add) => attached::add_item(card, add, context),
        TaskCommand::ChangeChecklistItem(change) => attached::change_item(card, change),
        TaskCommand::RemoveChecklistItem(remove) => attached::remove_item(card, remove),
        TaskCommand::Watch(_) => Ok(watch(card, context.actor, true)),
        TaskCommand::Unwatch(_) => Ok(watch(card, context.actor, false)),
        TaskCommand::React(react) => attached::react(card, react, context),
        TaskCommand::Unreact(react) => attached::unreact(card, react, context),
        TaskCommand::AddDependency(on) => links::add_dependency(fields, on.task_id, context),
        TaskCommand::RemoveDependency(on) => Ok(links::remove_dependency(fields, on.task_id)),
        TaskCommand::Remind(remind) => Ok(reminders::remind(fields, *remind, board, context.at)),
    }
}

fn created(create: &CreateTask, board: &Board, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    let column = match create.column_id {
        Some(id) => flow::usable_column(board, id, context.origin)?,
        None => {
            let wanted = if create.run { Category::InProgress } else { Category::Todo };
            flow::default_column(board, wanted)
                .ok_or_else(|| Refusal::invalid("/column_id", "the project has no column"))?
        }
    };
    if create.run && create.column_id.is_some() && column.category == Category::Done {
        return Err(Refusal::invalid("/run", "a task in a column of the category `done` does not run"));
    }
    let assignee_ids = distinct(&create.assignee_ids);
    let label_ids = distinct(&create.label_ids);
    if assignee_ids.len() > ASSIGNEES_PER_TASK {
        return Err(Refusal::invalid("/assignee_ids", format!("at most {ASSIGNEES_PER_TASK}")));
    }
    if label_ids.len() > LABELS_PER_TASK {
        return Err(Refusal::invalid("/label_ids", format!("at most {LABELS_PER_TASK}")));
    }
    for (i, user) in create.assignee_ids.iter().enumerate() {
        sets::must_be_member(board, *user, context, || format!("/assignee_ids/{i}"))?;
    }
    for (i, label) in create.label_ids.iter().enumerate() {
        sets::must_be_label(board, *label, || format!("/label_ids/{i}"))?;
    }
    let (start_at, due_at) = (create.start_at.map(Timestamp::from), create.due_at.map(Timestamp::from));
    schedule::must_begin_before_end(start_at, due_at, "/due_at", context.origin)?;
    let own_id = create.id.unwrap_or(TaskId(context.fresh_id));
    if create.parent_id == Some(own_id) {
        return Err(Refusal::invalid("/parent_id", "a task is not its own parent"));
    }
    if let Some(parent) = create.parent_id {
        links::must_be_in_project(context, parent, "/parent_id")?;
    }
    let placement = (column.id, context.rank.clone().unwrap_or_else(|| context.end.clone()));
    let created = Created::by(create, board.id, placement, assignee_ids, label_ids);
    let mut events = vec![TaskEvent::Created(Box::new(created))];
    // A column that nobody chose changes no status: there may be none of the wanted category.
    let steps = match create.column_id {
        Some(_) => Action::on_entering(column.category, Status::Todo),
        None => &[],
    };
    let steps = if create.run { &[Action::Start] } else { steps };
    events.extend(flow::steps(&flow::Clock::NEW, steps, None, context.at));
    Ok(events)
}

fn distinct<T: PartialEq + Copy>(items: &[T]) -> Vec<T> {
    let mut kept = Vec::with_capacity(items.len());
    for item in items {
        if !kept.contains(item) {
            kept.push(*item);
        }
    }
    kept
}

fn watch(card: &Card, user: UserId, wanted: bool) -> Vec<TaskEvent> {
    watching::decide(&card.fields, &card.opt_outs, user, wanted).into_iter().collect()
}

fn archived(fields: &Fields, to: bool) -> Vec<TaskEvent> {
    Delta::between(&fields.archived, to)
        .map(|archived| Archived { archived })
        .map(|e| if to { TaskEvent::Archived(e) } else { TaskEvent::Unarchived(e) })
        .into_iter()
        .collect()
}

/// Deletes a task. One that runs is paused first: nobody works on it in the bin.
fn deleted(fields: &Fields, context: &Context) -> Vec<TaskEvent> {
    let pause = if fields.status == Status::Running { &[Action::Pause][..] } else { &[] };
    let mut events = flow::steps(&flow::Clock::of(fields), pause, None, context.at);
    events.push(TaskEvent::Deleted(Deletion {
        deleted: Delta::new(false, true),
        deleted_at: Delta::new(None, Some(context.at)),
        deleted_by: Delta::new(None, Some(context.actor)),
    }));
    events
}

/// Restores to the column it was in, or, when that was removed, to the first one where a task of its status belongs.
fn restored(fields: &Fields, (by, at): (UserId, Timestamp), board: &Board, context: &Context) -> Vec<TaskEvent> {
    let restored = TaskEvent::Restored(Deletion {
        deleted: Delta::new(true, false),
        deleted_at: Delta::new(Some(at), None),
        deleted_by: Delta::new(Some(by), None),
    });
    let column_removed = board.fields.column(fields.column_id).is_none();
    let home = column_removed.then(|| flow::default_column(board, fields.status.category())).flatten();
    [restored].into_iter().chain(home.map(|c| flow::move_event(fields, c.id, context.end.clone()))).collect()
}
