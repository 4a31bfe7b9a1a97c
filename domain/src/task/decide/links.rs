use super::Context;
use super::fields::{with, without};
use crate::delta::Delta;
use crate::ids::TaskId;
use crate::input::DEPENDENCIES_PER_TASK;
use crate::refusal::Refusal;
use crate::task::commands::EditTask;
use crate::task::events::{Dependencies, Reparented, TaskEvent};
use crate::task::state::{Card, Situation};

/// Whether it would contain itself is for the append to say, which alone sees all tasks at once.
pub fn reparent(card: &Card, edit: &EditTask, context: &Context<'_>) -> Result<Option<TaskEvent>, Refusal> {
    let Some(wanted) = edit.parent_id else { return Ok(None) };
    let Some(parent_id) = Delta::between(&card.parent_id, wanted) else { return Ok(None) };
    if wanted.is_some() {
        must_be_in_project(context, "/parent_id")?;
    }
    Ok(Some(TaskEvent::Reparented(Reparented { parent_id })))
}

/// The same of waiting for itself.
pub fn add_dependency(card: &Card, on: TaskId, context: &Context<'_>) -> Result<Vec<TaskEvent>, Refusal> {
    if card.dependency_ids.contains(&on) {
        return Ok(vec![]);
    }
    must_be_in_project(context, "/task_id")?;
    if card.dependency_ids.len() >= DEPENDENCIES_PER_TASK {
        return Err(Refusal::invalid("/task_id", format!("a task waits for at most {DEPENDENCIES_PER_TASK} others")));
    }
    Ok(vec![TaskEvent::DependencyAdded(Dependencies { dependency_ids: with(&card.dependency_ids, on) })])
}

pub fn remove_dependency(card: &Card, on: TaskId) -> Vec<TaskEvent> {
    without(&card.dependency_ids, on)
        .map(|dependency_ids| TaskEvent::DependencyRemoved(Dependencies { dependency_ids }))
        .into_iter()
        .collect()
}

/// The other task, which never changes its project, is one of this project, and there.
pub fn must_be_in_project(context: &Context<'_>, pointer: &str) -> Result<(), Refusal> {
    let project = context.project.board().map(|board| board.id);
    let there = context.other.filter(|other| matches!(other.situation, Situation::Present(_)));
    if there.and_then(|other| other.card()).is_some_and(|card| Some(card.project_id) == project) {
        Ok(())
    } else {
        Err(Refusal::invalid(pointer, "not a task of the project"))
    }
}
