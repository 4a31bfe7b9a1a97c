//! References to what goes away: members, labels, columns and tasks that are removed, archived, deleted or restored.

/// Tasks of archived columns and projects.
mod archived;
/// People, labels and tasks that a task refers to.
mod gone;
/// Commands that name what was just removed.
mod lost_races;
