//! Assignees and labels.

use super::{Context, Origin};
use crate::delta::Delta;
use crate::ids::{LabelId, UserId};
use crate::limits::{ASSIGNEES_PER_TASK, LABELS_PER_TASK};
use crate::project::Board;
use crate::refusal::Refusal;
use crate::task::events::{Assignees, Labels, TaskEvent};
use crate::task::fields::Fields;

pub fn assign(fields: &Fields, user: UserId, board: &Board, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    if fields.assignee_ids.contains(&user) {
        return Ok(vec![]);
    }
    must_be_member(board, user, context, || "/user_id".to_owned())?;
    if fields.assignee_ids.len() >= ASSIGNEES_PER_TASK {
        return Err(Refusal::invalid("/user_id", format!("a task has at most {ASSIGNEES_PER_TASK} assignees")));
    }
    Ok(vec![TaskEvent::Assigned(Assignees { assignee_ids: with(&fields.assignee_ids, user) })])
}

pub fn unassign(fields: &Fields, user: UserId) -> Vec<TaskEvent> {
    without(&fields.assignee_ids, user)
        .map(|assignee_ids| TaskEvent::Unassigned(Assignees { assignee_ids }))
        .into_iter()
        .collect()
}

pub fn label(fields: &Fields, label: LabelId, board: &Board) -> Result<Vec<TaskEvent>, Refusal> {
    if fields.label_ids.contains(&label) {
        return Ok(vec![]);
    }
    must_be_label(board, label, || "/label_id".to_owned())?;
    if fields.label_ids.len() >= LABELS_PER_TASK {
        return Err(Refusal::invalid("/label_id", format!("a task has at most {LABELS_PER_TASK} labels")));
    }
    Ok(vec![TaskEvent::Labeled(Labels { label_ids: with(&fields.label_ids, label) })])
}

pub fn unlabel(fields: &Fields, label: LabelId) -> Vec<TaskEvent> {
    without(&fields.label_ids, label).map(|label_ids| TaskEvent::Unlabeled(Labels { label_ids })).into_iter().collect()
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
    context: &Context,
    pointer: impl FnOnce() -> String,
) -> Result<(), Refusal> {
    // Imported history may name people who have left since.
    if context.origin == Origin::Import || context.access(board).role_of(user).is_some() {
        Ok(())
    } else {
        Err(Refusal::invalid(pointer(), "not a member of the project"))
    }
}

pub fn must_be_label(board: &Board, label: LabelId, pointer: impl FnOnce() -> String) -> Result<(), Refusal> {
    if board.fields.labels.iter().any(|l| l.id == label) {
        Ok(())
    } else {
        Err(Refusal::invalid(pointer(), "not a label of the project"))
    }
}
