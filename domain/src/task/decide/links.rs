//! Parents and dependencies.

use super::Context;
use super::sets::{with, without};
use crate::delta::Delta;
use crate::ids::TaskId;
use crate::limits::DEPENDENCIES_PER_TASK;
use crate::reference::{ReferenceKind, Removal};
use crate::refusal::Refusal;
use crate::task::commands::EditTask;
use crate::task::events::{Dependencies, Reparented, TaskEvent};
use crate::task::fields::Fields;
use crate::task::state::{Situation, Task};

/// Sets the parent. The append, which alone sees all tasks at once, refuses one that would make the task contain
/// itself.
pub fn reparent(fields: &Fields, edit: &EditTask, context: &Context) -> Result<Option<TaskEvent>, Refusal> {
    let Some(wanted) = edit.parent_id else { return Ok(None) };
    let Some(parent_id) = Delta::between(&fields.parent_id, wanted) else { return Ok(None) };
    if let Some(parent) = wanted {
        must_be_in_project(context, parent, "/parent_id")?;
    }
    Ok(Some(TaskEvent::Reparented(Reparented { parent_id })))
}

/// Adds a dependency. The append refuses one that would make the task wait for itself.
pub fn add_dependency(fields: &Fields, on: TaskId, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    if fields.dependency_ids.contains(&on) {
        return Ok(vec![]);
    }
    must_be_in_project(context, on, "/task_id")?;
    if fields.dependency_ids.len() - context.deleted_dependencies >= DEPENDENCIES_PER_TASK {
        return Err(Refusal::invalid("/task_id", format!("a task waits for at most {DEPENDENCIES_PER_TASK} others")));
    }
    Ok(vec![TaskEvent::DependencyAdded(Dependencies { dependency_ids: with(&fields.dependency_ids, on) })])
}

pub fn remove_dependency(fields: &Fields, on: TaskId) -> Vec<TaskEvent> {
    without(&fields.dependency_ids, on)
        .map(|dependency_ids| TaskEvent::DependencyRemoved(Dependencies { dependency_ids }))
        .into_iter()
        .collect()
}

/// Refuses another task that is not in this project, or deleted. Tasks never change their project.
pub fn must_be_in_project(context: &Context, id: TaskId, pointer: &str) -> Result<(), Refusal> {
    let project = context.project.board().map(|board| board.id);
    let other = context.other.as_deref();
    let in_project = other.and_then(Task::fields).is_some_and(|fields| Some(fields.project_id) == project);
    match other.map(|other| &other.situation) {
        Some(Situation::Present(_)) if in_project => Ok(()),
        Some(Situation::Deleted { by, at, .. }) if in_project => {
            Err(Refusal::reference_gone(pointer, ReferenceKind::Task, id.0, Removal::By(*by, *at)))
        }
        Some(_) | None => Err(Refusal::invalid(pointer, "not a task of the project")),
    }
}
