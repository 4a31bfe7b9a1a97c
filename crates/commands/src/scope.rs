use taskfold_domain::ids::{ProjectId, TaskId};
use taskfold_domain::{ProjectCommand, Refusal};

use super::Engine;
use super::envelope::{CommandError, Envelope};

// Checked before anything else: an earlier answer to the same command id is not for such a token either.

impl Envelope {
    /// Another project than the token's own is not there for it, and it makes none.
    pub(super) fn must_reach_project(&self, id: ProjectId, command: &ProjectCommand) -> Result<(), CommandError> {
        match (self.only, command) {
            (None, _) => Ok(()),
            (Some(_), ProjectCommand::Create(_)) => Err(CommandError::OutOfScope),
            (Some(only), _) if only == id => Ok(()),
            (Some(_), _) => Err(Refusal::NotFound.into()),
        }
    }

    /// Teams are in no project.
    pub(super) fn must_reach_teams(&self) -> Result<(), CommandError> {
        if self.only.is_none() { Ok(()) } else { Err(Refusal::NotFound.into()) }
    }
}

impl Engine {
    /// The same for a task, which never changes its project.
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
