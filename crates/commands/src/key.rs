use taskfold_domain::SubjectKind;
use taskfold_domain::ids::ProjectId;

use super::append::{Append, ExpectedVersion, Outcome};
use super::envelope::{CommandError, Envelope};
use super::{ATTEMPTS, Engine};

impl Engine {
    /// Takes the command id for a request of many commands, each of which has an id of its own: among the commands it stands as one of the
    /// project that came to nothing, so that no other request can be sent under it. The same request may take it again.
    pub async fn take_key(
        &self,
        project: ProjectId,
        envelope: &Envelope,
        fingerprint: &[u8],
    ) -> Result<(), CommandError> {
        self.keep_to_the_log();
        for attempt in 0..ATTEMPTS {
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
                | Outcome::Cycle
                | Outcome::Rank
                | Outcome::Wip
                | Outcome::NotEmpty => {}
            }
        }
        Err(CommandError::Contended)
    }
}
