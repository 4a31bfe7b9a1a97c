use std::time::Duration;

use taskfold_commands::{CommandError, Engine, Envelope};
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::task::Origin;
use taskfold_domain::{Rank, Refusal, TaskCommand, Timestamp};
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_event_log::new_traceparent;
use uuid::Uuid;

use super::skipped::Skipped;
use super::trello::plan::What;

/// How long the log may be out of reach: about two minutes.
const PATIENCE: u32 = 16;
/// Commands in a row that cannot be stored, until it is not the commands.
const BROKEN_IN_A_ROW: u32 = 20;

/// Why an import cannot go on, in words for its user.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Refused(String),
    #[error("The database was out of reach for too long. Send the file again: what is imported is not imported twice")]
    Unavailable,
    #[error("Something went wrong on our side. Send the file again: what is imported is not imported twice")]
    Internal,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        tracing::warn!(%error, "an import cannot reach the database");
        Self::Unavailable
    }
}

/// One command with what goes along.
pub struct Letter {
    pub kind: String,
    pub command_id: Uuid,
    pub actor: UserId,
    pub at: Option<Timestamp>,
    pub what: What,
}

/// Sends commands of one import.
pub struct Sender<'a> {
    pub engine: &'a Engine,
    pub project: ProjectId,
    pub skipped: Skipped,
    /// Events appended.
    pub events: usize,
    pub broken: u32,
}

impl Sender<'_> {
    /// Sends a command; `false` when it was refused. What a command comes to was decided before, when its id is known.
    pub async fn send(&mut self, letter: &Letter) -> Result<bool, Failure> {
        let mut what = letter.what.clone();
        let mut waited = 0;
        loop {
            match within(REQUEST, Box::pin(self.once(letter, &what))).await {
                Ok(()) => {
                    self.broken = 0;
                    return Ok(true);
                }
                Err(CommandError::KeyReused) => return Ok(true),
                Err(CommandError::Refused(refusal)) => return Ok(self.refused(letter, &refusal)),
                Err(CommandError::Broken(cause)) => {
                    tracing::error!(cause, command_id = %letter.command_id, "a command of an import cannot be stored");
                    self.broken += 1;
                    if self.broken >= BROKEN_IN_A_ROW {
                        return Err(Failure::Internal);
                    }
                    self.skipped.add(&letter.kind, "could not be stored");
                    return Ok(false);
                }
                Err(CommandError::Contended | CommandError::Conflict(_)) if waited < PATIENCE => step_aside(&mut what),
                Err(error) if error.is_open() && waited < PATIENCE => {}
                Err(_) => return Err(Failure::Unavailable),
            }
            waited += 1;
            tokio::time::sleep(Duration::from_millis(100) * waited.min(10) * waited.min(10)).await;
        }
    }

    async fn once(&mut self, letter: &Letter, what: &What) -> Result<(), CommandError> {
        let envelope = Envelope {
            occurred_at: letter.at,
            origin: Origin::Import,
            traceparent: Some(new_traceparent()),
            ..Envelope::new(letter.actor, letter.command_id)
        };
        let done = match what {
            What::Project(command) => self.engine.project(self.project, command.clone(), envelope).await?,
            What::Task { id, command, rank } => {
                let envelope = Envelope { project_id: Some(self.project), rank: rank.clone(), ..envelope };
                self.engine.task(*id, command.clone(), envelope).await?
            }
        };
        if !done.replayed {
            self.events += done.events.len();
        }
        Ok(())
    }

    fn refused(&mut self, letter: &Letter, refusal: &Refusal) -> bool {
        let why = match refusal {
            // Made by an earlier import, or by the export's own words before.
            Refusal::AlreadyExists => return true,
            Refusal::NotFound => "what it is about is not there (any more)".to_owned(),
            Refusal::TaskDeleted { .. } => "its card is deleted here".to_owned(),
            Refusal::Invalid(errors) => errors.first().map_or_else(String::new, |e| e.detail.clone()),
            refusal => refusal.to_string(),
        };
        self.skipped.add(&letter.kind, why);
        false
    }
}

/// Another task has the rank: just behind it.
fn step_aside(what: &mut What) {
    if let What::Task { rank: Some(rank), command: TaskCommand::Create(_) | TaskCommand::Move(_), .. } = what {
        *rank = Rank::from_stored(format!("{}V", rank.as_str()));
    }
}
