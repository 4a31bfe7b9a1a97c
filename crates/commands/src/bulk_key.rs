//! Command ids of bulk requests.

use taskfold_domain::SubjectKind;
use taskfold_domain::ids::ProjectId;

use super::append::{Append, ExpectedVersion, Outcome};
use super::envelope::{CommandError, Envelope};
use super::{Engine, MAX_ATTEMPTS};

impl Engine {
    /// Reserves the command id of a request that consists of many commands with ids of their own. It is recorded as a
    /// command on the project without events, so that no other request can use it. The same request may reserve it
    /// again.
    pub async fn take_key(
        &self,
        project: ProjectId,
        envelope: &Envelope,
        fingerprint: &[u8],
    ) -> Result<(), CommandError> {
        self.drop_state_of_other_log();
        for attempt in 0..MAX_ATTEMPTS {
            let loaded = self.projects.load(project.0, attempt > 0).await?;
            let kind = SubjectKind::Project.as_str();
            let append = Append {
                fingerprint: fingerprint.to_vec(),
                expected: ExpectedVersion { version: loaded.state.version, command_id: loaded.command },
                ..Append::new(kind, project.0, Some(project), envelope.actor, envelope.command_id)
            };
            match self.appender.append(append).await? {
                Outcome::Appended(_) | Outcome::Duplicate(_) => return Ok(()),
                Outcome::Reused => return Err(CommandError::KeyReused),
                Outcome::Conflict
                | Outcome::Guard
                | Outcome::Taken
                | Outcome::Cycle
                | Outcome::Rank
                | Outcome::Wip
                | Outcome::NotEmpty => {}
            }
        }
        Err(CommandError::Contended)
    }
}
