//! Rules of projects.

/// Columns: order, limits, archiving, removal.
mod columns;
/// Rules that hold for every command on a project.
mod every;
/// Filters that the members of a project share.
mod filters;
/// Labels of a project.
mod labels;
/// Creating, editing, archiving and restoring a project.
mod lifecycle;
/// Members of a project, and joining by invitation.
mod members;
/// Teams that have a role in a project.
mod teams;
/// Watching a project.
mod watching;
