//! Assignees and labels.

use super::{Context, Origin};
use crate::delta::Delta;
use crate::ids::{LabelId, UserId};
use crate::limits::{ASSIGNEES_PER_TASK, LABELS_PER_TASK};
use crate::project::Board;
use crate::reference::{ReferenceKind, Removal};
use crate::refusal::Refusal;
use crate::task::events::{Assignees, Labels, TaskEvent};
use crate::task::fields::Fields;

/// Assigns a person. Assignees who may not see the project any more leave with it: they are not shown, and do not count.
pub fn assign(fields: &Fields, user: UserId, board: &Board, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    let present = present_assignees(fields, board, context);
    if present.contains(&user) {
        return Ok(vec![]);
    }
    must_be_member(board, user, context, || "/user_id".to_owned())?;
    if present.len() >= ASSIGNEES_PER_TASK {
        return Err(Refusal::invalid("/user_id", format!("a task has at most {ASSIGNEES_PER_TASK} assignees")));
    }
    let to = present.into_iter().chain([user]).collect();
    Ok(vec![TaskEvent::Assigned(Assignees { assignee_ids: Delta::new(fields.assignee_ids.clone(), to) })])
}

pub fn unassign(fields: &Fields, user: UserId, board: &Board, context: &Context) -> Vec<TaskEvent> {
    if !fields.assignee_ids.contains(&user) {
        return vec![];
    }
    let mut to = present_assignees(fields, board, context);
    to.retain(|assignee| *assignee != user);
    let assignee_ids = Delta::new(fields.assignee_ids.clone(), to);
    vec![TaskEvent::Unassigned(Assignees { assignee_ids })]
}

/// Assignees who may see the project. Imported history may name people who have left since.
fn present_assignees(fields: &Fields, board: &Board, context: &Context) -> Vec<UserId> {
    let access = context.access(board);
    let is_present = |user: &&UserId| context.origin == Origin::Import || access.role_of(**user).is_some();
    fields.assignee_ids.iter().filter(is_present).copied().collect()
}

/// Adds a label. Labels that were removed from the project leave with it.
pub fn label(fields: &Fields, label: LabelId, board: &Board) -> Result<Vec<TaskEvent>, Refusal> {
    let present = present_labels(fields, board);
    if present.contains(&label) {
        return Ok(vec![]);
    }
    must_be_label(board, label, || "/label_id".to_owned())?;
    if present.len() >= LABELS_PER_TASK {
        return Err(Refusal::invalid("/label_id", format!("a task has at most {LABELS_PER_TASK} labels")));
    }
    let to = present.into_iter().chain([label]).collect();
    Ok(vec![TaskEvent::Labeled(Labels { label_ids: Delta::new(fields.label_ids.clone(), to) })])
}

pub fn unlabel(fields: &Fields, label: LabelId, board: &Board) -> Vec<TaskEvent> {
    if !fields.label_ids.contains(&label) {
        return vec![];
    }
    let mut to = present_labels(fields, board);
    to.retain(|present| *present != label);
    vec![TaskEvent::Unlabeled(Labels { label_ids: Delta::new(fields.label_ids.clone(), to) })]
}

/// Labels that the project still has.
fn present_labels(fields: &Fields, board: &Board) -> Vec<LabelId> {
    fields.label_ids.iter().filter(|label| board.fields.has_label(**label)).copied().collect()
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
        return Ok(());
    }
    Err(match board.left_at(user) {
        Some(at) => Refusal::reference_gone(pointer(), ReferenceKind::Member, user.0, Removal::AtVersion(at)),
        None => Refusal::invalid(pointer(), "not a member of the project"),
    })
}

pub fn must_be_label(board: &Board, label: LabelId, pointer: impl FnOnce() -> String) -> Result<(), Refusal> {
    if board.fields.has_label(label) {
        return Ok(());
    }
    Err(match board.removed_at(label.0) {
        Some(at) => Refusal::reference_gone(pointer(), ReferenceKind::Label, label.0, Removal::AtVersion(at)),
        None => Refusal::invalid(pointer(), "not a label of the project"),
    })
}
