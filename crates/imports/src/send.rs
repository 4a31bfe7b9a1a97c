//! Sending of commands, with retries.

use std::time::Duration;

use taskfold_commands::{CommandError, Engine, Envelope};
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::task::Origin;
use taskfold_domain::{Rank, Refusal, TaskCommand, Timestamp};
use taskfold_event_log::deadline::{REQUEST, within};
use uuid::Uuid;

use crate::command::ImportCommand;
use crate::skipped::Skipped;

/// Number of retries while the log is unavailable: about two minutes.
const MAX_RETRIES: u32 = 16;
/// Number of consecutive commands that cannot be stored, after which the import fails.
const MAX_CONSECUTIVE_FAILURES: u32 = 20;

/// The reason why an import failed, as its user sees it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Refused(String),
    #[error("The database was unavailable for too long. Send the file again: nothing is imported twice")]
    Unavailable,
    #[error("An internal error occurred. Send the file again: nothing is imported twice")]
    Internal,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        tracing::warn!(%error, "an import cannot reach the database");
        Self::Unavailable
    }
}

/// A command, ready to be sent.
pub struct OutgoingCommand {
    pub kind: String,
    pub command_id: Uuid,
    pub actor: UserId,
    pub at: Option<Timestamp>,
    pub command: ImportCommand,
}

/// Sends the commands of one import.
pub struct CommandSender<'a> {
    pub engine: &'a Engine,
    pub project: ProjectId,
    pub skipped: Skipped,
    /// Number of events that were appended.
    pub events: usize,
    /// Number of consecutive commands that could not be stored.
    pub broken: u32,
}

impl CommandSender<'_> {
    /// Sends a command. False: it was refused. A command that was sent before has its first result.
    pub async fn send(&mut self, outgoing: &OutgoingCommand) -> Result<bool, Failure> {
        let mut command = outgoing.command.clone();
        let mut retries = 0;
        loop {
            match within(REQUEST, Box::pin(self.send_once(outgoing, &command))).await {
                Ok(()) => {
                    self.broken = 0;
                    return Ok(true);
                }
                Err(CommandError::KeyReused) => return Ok(true),
                Err(CommandError::Refused(refusal)) => return Ok(self.refused(outgoing, &refusal)),
                Err(CommandError::Broken(cause)) => {
                    let command_id = outgoing.command_id;
                    tracing::error!(cause, %command_id, "a command of an import cannot be stored");
                    self.broken += 1;
                    if self.broken >= MAX_CONSECUTIVE_FAILURES {
                        return Err(Failure::Internal);
                    }
                    self.skipped.add(&outgoing.kind, "could not be stored");
                    return Ok(false);
                }
                Err(CommandError::Contended | CommandError::Conflict(_)) => next_rank(&mut command),
                Err(
                    CommandError::Unavailable(_)
                    | CommandError::Unanswered { .. }
                    | CommandError::Suspended
                    | CommandError::OtherLog
                    | CommandError::Forked
                    | CommandError::Incomplete,
                ) => {}
                // Commands of an import have no token.
                Err(CommandError::OutOfScope) => return Err(Failure::Internal),
            }
            if retries == MAX_RETRIES {
                return Err(Failure::Unavailable);
            }
            retries += 1;
            tokio::time::sleep(Duration::from_millis(100) * retries.min(10) * retries.min(10)).await;
        }
    }

    async fn send_once(&mut self, outgoing: &OutgoingCommand, command: &ImportCommand) -> Result<(), CommandError> {
        let envelope = Envelope {
            occurred_at: outgoing.at,
            origin: Origin::Import,
            traceparent: Some(self.engine.clock().new_traceparent()),
            ..Envelope::new(outgoing.actor, outgoing.command_id)
        };
        let done = match command {
            ImportCommand::Project(command) => self.engine.project(self.project, command.clone(), envelope).await?,
            ImportCommand::Task { id, command, rank } => {
                let envelope = Envelope { project_id: Some(self.project), rank: rank.clone(), ..envelope };
                self.engine.task(*id, command.clone(), envelope).await?
            }
        };
        if !done.replayed {
            self.events += done.events.len();
        }
        Ok(())
    }

    fn refused(&mut self, outgoing: &OutgoingCommand, refusal: &Refusal) -> bool {
        let reason = match refusal {
            // Created by an earlier import, or by an earlier action of this export.
            Refusal::AlreadyExists => return true,
            Refusal::NotFound => "its subject does not exist, or no longer exists".to_owned(),
            Refusal::TaskDeleted { .. } => "its task is deleted in the project".to_owned(),
            Refusal::ReferenceGone(_) => "what it refers to was removed from the project".to_owned(),
            Refusal::Invalid(errors) => errors.first().map_or_else(String::new, |e| e.detail.clone()),
            Refusal::Forbidden { .. }
            | Refusal::TeamOwnersOnly
            | Refusal::OwnersOnly
            | Refusal::HasLeft
            | Refusal::NotTheAuthor
            | Refusal::ProjectArchived
            | Refusal::IllegalTransition { .. }
            | Refusal::WipLimitReached
            | Refusal::ColumnNotEmpty { .. }
            | Refusal::LastOwner
            | Refusal::Cycle => refusal.to_string(),
        };
        self.skipped.add(&outgoing.kind, reason);
        false
    }
}

/// Moves the rank just after that of another task with the same rank.
fn next_rank(command: &mut ImportCommand) {
    if let ImportCommand::Task { rank: Some(rank), command: TaskCommand::Create(_) | TaskCommand::Move(_), .. } =
        command
    {
        *rank = Rank::from_stored(format!("{}V", rank.as_str()));
    }
}
