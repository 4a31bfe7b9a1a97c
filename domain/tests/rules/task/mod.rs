//! Rules of tasks.

/// Archiving, deleting and restoring.
mod archiving;
/// Files on a task.
mod attachments;
/// Checklists and their items.
mod checklists;
/// Comments and reactions.
mod comments;
/// Creating a task.
mod creation;
/// Rules that hold for every command on a task.
mod every;
/// Editing the fields of a task.
mod fields;
/// Steps from status to status, and progress.
mod lifecycle;
/// Parents and dependencies.
mod links;
/// Moves within a column and to others.
mod moves;
/// Reminders of due times.
mod reminders;
/// Assignees and labels.
mod sets;
/// People who are notified of a task.
mod watching;
