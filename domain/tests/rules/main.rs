//! Specification of the domain: for every command what it does, when it does nothing, why it is refused, and who may
//! send it, as given / when / then.
//!
//! Three refusals are not among the rules, because the append alone sees all tasks at once and gives them:
//! `WipLimitReached`, `ColumnNotEmpty` and `Cycle`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

/// Roles of people, their own and those of their teams.
mod access;
/// A check that no command is without rules.
mod coverage;
/// The project, task and team that the rules are stated on.
mod fixtures;
/// Commands and events as JSON.
mod json;
/// Rules of projects.
mod project;
/// Rules of tasks.
mod task;
/// Rules of teams.
mod team;
/// A walk of random commands.
mod walk;
