//! Tokens that are valid for one project.

use taskfold_domain::ids::{ProjectId, TaskId};
use taskfold_domain::{ProjectCommand, Refusal};

use super::Engine;
use super::envelope::{CommandError, Envelope};

// Checked before anything else: an earlier result under the same command id is not for such a token either.

impl Envelope {
    /// Hides every project but the token's own, and refuses to create one.
    pub(super) fn must_reach_project(&self, id: ProjectId, command: &ProjectCommand) -> Result<(), CommandError> {
        match (self.only, command) {
            (None, _) => Ok(()),
            (Some(_), ProjectCommand::Create(_)) => Err(CommandError::OutOfScope),
            (Some(only), _) if only == id => Ok(()),
            (Some(_), _) => Err(Refusal::NotFound.into()),
        }
    }

    /// Hides teams, which belong to no project.
    pub(super) fn must_reach_teams(&self) -> Result<(), CommandError> {
        if self.only.is_none() { Ok(()) } else { Err(Refusal::NotFound.into()) }
    }
}

impl Engine {
    /// Hides tasks of other projects. A task never changes its project.
    pub async fn must_reach_task(&self, id: TaskId, envelope: &Envelope) -> Result<(), CommandError> {
        let Some(only) = envelope.only else { return Ok(()) };
        let task = self.tasks.load(id.0, false).await?.state;
        let project = task.fields().map(|fields| fields.project_id).or(envelope.project_id);
        if project == Some(only) && envelope.project_id.is_none_or(|asked| asked == only) {
            Ok(())
        } else {
            Err(Refusal::NotFound.into())
        }
    }
}
