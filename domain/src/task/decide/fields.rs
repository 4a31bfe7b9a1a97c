use super::{Context, Origin};
use crate::Timestamp;
use crate::delta::Delta;
use crate::ids::{LabelId, UserId};
use crate::input::{ASSIGNEES_PER_TASK, LABELS_PER_TASK};
use crate::project::Board;
use crate::refusal::Refusal;
use crate::task::commands::EditTask;
use crate::task::events::{Assignees, Described, Estimated, Labels, Prioritized, Renamed, Scheduled, TaskEvent};
use crate::task::state::Card;

pub fn edit(card: &Card, edit: &EditTask) -> Vec<TaskEvent> {
    let title = edit.title.as_ref().and_then(|t| Delta::between(&card.title, t.as_str().to_owned()));
    let description = edit
        .description
        .as_ref()
        .and_then(|d| Delta::between(&card.description, d.clone().map(String::from).unwrap_or_default()));
    let priority = edit.priority.and_then(|p| Delta::between(&card.priority, p.unwrap_or_default()));
    let start_at = edit.start_at.and_then(|t| Delta::between(&card.start_at, t.map(Timestamp::from)));
    let due_at = edit.due_at.and_then(|t| Delta::between(&card.due_at, t.map(Timestamp::from)));
    let estimate = edit.estimate_minutes.and_then(|m| Delta::between(&card.estimate_minutes, m.map(|m| m.get())));
    [
        title.map(|title| TaskEvent::Renamed(Renamed { title })),
        description.map(|description| TaskEvent::Described(Described { description })),
        priority.map(|priority| TaskEvent::Prioritized(Prioritized { priority })),
        (start_at.is_some() || due_at.is_some()).then_some(TaskEvent::Scheduled(Scheduled { start_at, due_at })),
        estimate.map(|estimate_minutes| TaskEvent::Estimated(Estimated { estimate_minutes })),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub fn assign(card: &Card, user: UserId, board: &Board, context: &Context<'_>) -> Result<Vec<TaskEvent>, Refusal> {
    if card.assignee_ids.contains(&user) {
        return Ok(vec![]);
    }
    must_be_member(board, user, context, || "/user_id".to_owned())?;
    if card.assignee_ids.len() >= ASSIGNEES_PER_TASK {
        return Err(Refusal::invalid("/user_id", format!("a task has at most {ASSIGNEES_PER_TASK} assignees")));
    }
    Ok(vec![TaskEvent::Assigned(Assignees { assignee_ids: with(&card.assignee_ids, user) })])
}

pub fn unassign(card: &Card, user: UserId) -> Vec<TaskEvent> {
    without(&card.assignee_ids, user)
        .map(|assignee_ids| TaskEvent::Unassigned(Assignees { assignee_ids }))
        .into_iter()
        .collect()
}

pub fn label(card: &Card, label: LabelId, board: &Board) -> Result<Vec<TaskEvent>, Refusal> {
    if card.label_ids.contains(&label) {
        return Ok(vec![]);
    }
    must_be_label(board, label, || "/label_id".to_owned())?;
    if card.label_ids.len() >= LABELS_PER_TASK {
        return Err(Refusal::invalid("/label_id", format!("a task has at most {LABELS_PER_TASK} labels")));
    }
    Ok(vec![TaskEvent::Labeled(Labels { label_ids: with(&card.label_ids, label) })])
}

pub fn unlabel(card: &Card, label: LabelId) -> Vec<TaskEvent> {
    without(&card.label_ids, label).map(|label_ids| TaskEvent::Unlabeled(Labels { label_ids })).into_iter().collect()
}

pub fn with<T: Copy>(items: &[T], item: T) -> Delta<Vec<T>> {
    let to = items.iter().copied().chain([item]).collect();
    Delta::new(items.to_vec(), to)
}

pub fn without<T: Copy + PartialEq>(items: &[T], item: T) -> Option<Delta<Vec<T>>> {
    items.contains(&item).then(|| {
        let to = items.iter().copied().filter(|i| *i != item).collect();
        Delta::new(items.to_vec(), to)
    })
}

pub fn must_be_member(
    board: &Board,
    user: UserId,
    context: &Context<'_>,
    pointer: impl FnOnce() -> String,
) -> Result<(), Refusal> {
    // History may name people who have left since.
    if context.origin == Origin::Import || context.access(board).role_of(user).is_some() {
        Ok(())
    } else {
        Err(Refusal::invalid(pointer(), "not a member of the project"))
    }
}

pub fn must_be_label(board: &Board, label: LabelId, pointer: impl FnOnce() -> String) -> Result<(), Refusal> {
    if board.labels.iter().any(|l| l.id == label) {
        Ok(())
    } else {
        Err(Refusal::invalid(pointer(), "not a label of the project"))
    }
}
