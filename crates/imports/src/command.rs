//! Commands of an import: steps of the history, and corrections.

use taskfold_domain::ids::{TaskId, UserId};
use taskfold_domain::project::commands::ProjectCommand;
use taskfold_domain::{Rank, TaskCommand, Timestamp};
use uuid::Uuid;

/// A command, with the aggregate that it is for.
#[derive(Clone, Debug)]
pub enum ImportCommand {
    /// For the project of the import.
    Project(ProjectCommand),
    Task {
        id: TaskId,
        command: TaskCommand,
        /// Rank of a task that is created or moved; without it, the end of the column.
        rank: Option<Rank>,
    },
}

/// A step of the replayed history.
#[derive(Clone, Debug)]
pub struct Step {
    /// The same in every import of the same history.
    pub command_id: Uuid,
    /// Kind of the action, for the counts of what was skipped.
    pub kind: String,
    pub at: Timestamp,
    /// `None`: the user who imports.
    pub actor: Option<UserId>,
    pub command: ImportCommand,
    /// Number of actions that are done after this step.
    pub progress: usize,
}

/// A command that removes a difference between the project and the board in the export.
#[derive(Clone, Debug)]
pub struct Correction {
    pub command: ImportCommand,
    /// `None`: the user who imports.
    pub actor: Option<UserId>,
    /// `None`: now.
    pub at: Option<Timestamp>,
    /// Sent if the command is refused.
    pub fallback: Option<ProjectCommand>,
}

impl Correction {
    pub fn new(command: ImportCommand) -> Self {
        Self { command, actor: None, at: None, fallback: None }
    }

    pub fn project(command: ProjectCommand) -> Self {
        Self::new(ImportCommand::Project(command))
    }

    pub fn task(id: TaskId, command: TaskCommand) -> Self {
        Self::new(ImportCommand::Task { id, command, rank: None })
    }
}
