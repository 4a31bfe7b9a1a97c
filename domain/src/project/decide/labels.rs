//! Labels.

use super::Context;
use crate::delta::Delta;
use crate::ids::LabelId;
use crate::limits::LABELS_PER_PROJECT;
use crate::project::commands::{AddLabel, LabelPatch};
use crate::project::events::{LabelAdded, LabelChanged, LabelRemoved, ProjectEvent};
use crate::project::state::Board;
use crate::project::values::Label;
use crate::refusal::Refusal;

pub fn add(board: &Board, add: &AddLabel, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let id = add.id.unwrap_or(LabelId(context.fresh_id));
    if board.fields.has_label(id) || board.removed_at(id.0).is_some() {
        return Err(Refusal::AlreadyExists);
    }
    if board.fields.labels.len() >= LABELS_PER_PROJECT {
        return Err(Refusal::invalid("", format!("a project has at most {LABELS_PER_PROJECT} labels")));
    }
    let label = Label { id, name: add.name.as_str().to_owned(), color: add.color.as_str().to_owned() };
    Ok(vec![ProjectEvent::LabelAdded(LabelAdded { label: label.into() })])
}

pub fn edit(board: &Board, id: LabelId, change: &LabelPatch) -> Result<Vec<ProjectEvent>, Refusal> {
    let label = find(board, id)?;
    let mut to = label.clone();
    if let Some(name) = &change.name {
        to.name = name.as_str().to_owned();
    }
    if let Some(color) = &change.color {
        to.color = color.as_str().to_owned();
    }
    Ok(Delta::between(label, to).map(|label| ProjectEvent::LabelChanged(LabelChanged { label })).into_iter().collect())
}

pub fn remove(board: &Board, id: LabelId) -> Result<Vec<ProjectEvent>, Refusal> {
    let label = find(board, id)?.clone();
    Ok(vec![ProjectEvent::LabelRemoved(LabelRemoved { label: label.into() })])
}

fn find(board: &Board, id: LabelId) -> Result<&Label, Refusal> {
    board.fields.labels.iter().find(|l| l.id == id).ok_or(Refusal::NotFound)
}
