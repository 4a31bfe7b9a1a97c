//! What may be decided about a task: (state, command, context) -> events or a refusal. Nothing else is read.

/// Comments, files and checklists: what hangs on a card.
mod attached;
/// Title, description, priority, dates, people and labels.
mod fields;
/// Status steps and moves, which go together.
mod flow;
/// Parents and dependencies.
mod links;
/// Due times that come near or pass.
mod reminders;
/// Who wants to hear of it.
mod watching;

use std::sync::Arc;

use uuid::Uuid;

use super::commands::{CreateTask, TaskCommand};
use super::events::{Archived, Created, Deletion, TaskEvent};
use super::lifecycle::{Action, Status};
use super::state::{Card, Comment, Situation, Task};
use crate::Timestamp;
use crate::access::Access;
use crate::delta::Delta;
use crate::ids::{TaskId, UserId};
use crate::input::{ASSIGNEES_PER_TASK, LABELS_PER_TASK};
use crate::project::{Board, Category, Project};
use crate::rank::Rank;
use crate::refusal::Refusal;
use crate::team::Team;

/// What a decision needs to know beside the task and the command.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    pub actor: UserId,
    pub at: Timestamp,
    pub project: &'a Project,
    /// For `Move`: the place found for it, or `None` when it is there already.
    pub place: Option<Rank>,
    /// The end of any column.
    pub end: Rank,
    /// Members named in the text of a comment.
    pub mentions: Vec<UserId>,
    /// Used where the command brings no id of its own.
    pub fresh_id: Uuid,
    pub origin: Origin,
    /// Those that the project gives roles to.
    pub teams: &'a [Arc<Team>],
    /// Another task that the command names as parent or dependency.
    pub other: Option<&'a Task>,
    /// For `EditComment` and `RemoveComment`: the comment as it stands in the log, if it is there.
    pub said: Option<&'a Comment>,
}

impl Context<'_> {
    fn access<'a>(&'a self, board: &'a Board) -> Access<'a> {
        Access::new(board, self.teams)
    }
}

/// Where a command comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A member, now.
    Live,
    /// The replay of another system's history, whose permission was checked once for the whole.
    Import,
    /// The schedule of due times.
    Clock,
}

/// Decides a command. An empty list means that everything is so already.
pub fn decide(task: &Task, command: &TaskCommand, context: &Context<'_>) -> Result<Vec<TaskEvent>, Refusal> {
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
            Ok(restored(card, (*by, *at), board, context))
        }
        (Situation::Deleted { by, at, .. }, _) => Err(Refusal::TaskDeleted { by: *by, at: *at }),
        (Situation::Present(card), command) => on_card(card, command, board, context),
    }
}

fn authorized<'a>(command: &TaskCommand, context: &Context<'a>) -> Result<&'a Board, Refusal> {
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
    if board.archived && !works_when_archived {
        return Err(Refusal::ProjectArchived);
    }
    Ok(board)
}

fn on_card(
    card: &Card,
    command: &TaskCommand,
    board: &Board,
    context: &Context<'_>,
) -> Result<Vec<TaskEvent>, Refusal> {
    match command {
        TaskCommand::Create(_) => Err(Refusal::AlreadyExists),
        TaskCommand::Edit(edit) => {
            let mut events = fields::edit(card, edit);
            events.extend(links::reparent(card, edit, context)?);
            Ok(events)
        }
        TaskCommand::Assign(a) => fields::assign(card, a.user_id, board, context),
        TaskCommand::Unassign(a) => Ok(fields::unassign(card, a.user_id)),
        TaskCommand::Label(l) => fields::label(card, l.label_id, board),
        TaskCommand::Unlabel(l) => Ok(fields::unlabel(card, l.label_id)),
        TaskCommand::Move(to) => flow::moved(card, to.column_id, board, context),
        TaskCommand::Start(_) => flow::act(card, Action::Start, None, board, context),
        TaskCommand::Pause(_) => flow::act(card, Action::Pause, None, board, context),
        TaskCommand::Resume(_) => flow::act(card, Action::Resume, None, board, context),
        TaskCommand::Complete(_) => flow::act(card, Action::Complete, None, board, context),
        TaskCommand::Cancel(why) => flow::act(card, Action::Cancel, why.reason.as_ref(), board, context),
        TaskCommand::Fail(why) => flow::act(card, Action::Fail, why.reason.as_ref(), board, context),
        TaskCommand::Reopen(_) => flow::act(card, Action::Reopen, None, board, context),
        TaskCommand::Progress(progress) => flow::progress(card, progress.percent.get()),
        TaskCommand::Archive(_) => Ok(archived(card, true)),
        TaskCommand::Unarchive(_) => Ok(archived(card, false)),
        TaskCommand::Delete(_) => Ok(vec![deleted(context)]),
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
        TaskCommand::Watch(_) => Ok(watching::watch(card, context.actor, true)),
        TaskCommand::Unwatch(_) => Ok(watching::watch(card, context.actor, false)),
        TaskCommand::React(react) => attached::react(card, react, context),
        TaskCommand::Unreact(react) => attached::unreact(card, react, context),
        TaskCommand::AddDependency(on) => links::add_dependency(card, on.task_id, context),
        TaskCommand::RemoveDependency(on) => Ok(links::remove_dependency(card, on.task_id)),
        TaskCommand::Remind(remind) => Ok(reminders::remind(card, *remind, context.at)),
    }
}

fn created(create: &CreateTask, board: &Board, context: &Context<'_>) -> Result<Vec<TaskEvent>, Refusal> {
    let column = match create.column_id {
        Some(id) => flow::usable_column(board, id, context.origin)?,
        None => {
            let wanted = if create.run { Category::InProgress } else { Category::Todo };
            board
                .first_column(wanted)
                .or_else(|| board.open_columns().next())
                .ok_or_else(|| Refusal::invalid("/column_id", "the project has no column"))?
        }
    };
    let assignee_ids = distinct(&create.assignee_ids);
    let label_ids = distinct(&create.label_ids);
    if assignee_ids.len() > ASSIGNEES_PER_TASK {
        return Err(Refusal::invalid("/assignee_ids", format!("at most {ASSIGNEES_PER_TASK}")));
    }
    if label_ids.len() > LABELS_PER_TASK {
        return Err(Refusal::invalid("/label_ids", format!("at most {LABELS_PER_TASK}")));
    }
    for (i, user) in assignee_ids.iter().enumerate() {
        fields::must_be_member(board, *user, context, || format!("/assignee_ids/{i}"))?;
    }
    for (i, label) in label_ids.iter().enumerate() {
        fields::must_be_label(board, *label, || format!("/label_ids/{i}"))?;
    }
    let own_id = create.id.unwrap_or(TaskId(context.fresh_id));
    if create.parent_id == Some(own_id) {
        return Err(Refusal::invalid("/parent_id", "a task is not its own parent"));
    }
    if create.parent_id.is_some() {
        links::must_be_in_project(context, "/parent_id")?;
    }
    let project_id = board.id;
    let mut events = vec![TaskEvent::Created(Box::new(Created {
        project_id: project_id.into(),
        title: String::from(create.title.clone()).into(),
        description: create.description.clone().map(String::from).unwrap_or_default().into(),
        status: Status::Todo.into(),
        column_id: column.id.into(),
        rank: context.place.clone().unwrap_or_else(|| context.end.clone()).into(),
        priority: create.priority.into(),
        assignee_ids: assignee_ids.into(),
        label_ids: label_ids.into(),
        start_at: create.start_at.map(Timestamp::from).into(),
        due_at: create.due_at.map(Timestamp::from).into(),
        estimate_minutes: create.estimate_minutes.map(|m| m.get()).into(),
        parent_id: create.parent_id.into(),
    }))];
    let steps = match Action::on_entering(column.category, Status::Todo) {
        [] if create.run => &[Action::Start],
        steps => steps,
    };
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

fn archived(card: &Card, to: bool) -> Vec<TaskEvent> {
    Delta::between(&card.archived, to)
        .map(|archived| Archived { archived })
        .map(|e| if to { TaskEvent::Archived(e) } else { TaskEvent::Unarchived(e) })
        .into_iter()
        .collect()
}

fn deleted(context: &Context<'_>) -> TaskEvent {
    TaskEvent::Deleted(Deletion {
        deleted: Delta::new(false, true),
        deleted_at: Delta::new(None, Some(context.at)),
        deleted_by: Delta::new(None, Some(context.actor)),
    })
}

/// Back where it was, or, when that column is gone, in the first one there is.
fn restored(card: &Card, (by, at): (UserId, Timestamp), board: &Board, context: &Context<'_>) -> Vec<TaskEvent> {
    let restored = TaskEvent::Restored(Deletion {
        deleted: Delta::new(true, false),
        deleted_at: Delta::new(Some(at), None),
        deleted_by: Delta::new(Some(by), None),
    });
    let homeless = board.column(card.column_id).is_none();
    let home = homeless.then(|| board.open_columns().next()).flatten();
    [restored].into_iter().chain(home.map(|c| flow::move_event(card, c.id, context.end.clone()))).collect()
}
