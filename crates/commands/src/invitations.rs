//! Permission to invite people to a project.

use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::project::commands::SetMember;
use taskfold_domain::project::{Context, Invitation, decide, may_invite};
use taskfold_domain::task::Origin;
use taskfold_domain::{Access, Project, ProjectCommand, Refusal, Role};

use super::Engine;
use super::envelope::CommandError;

impl Engine {
    /// Refuses actors who may not give `role` to a new member, by the decision that adds one: whoever may add a member
    /// may invite one. Returns the version of the project that permits it.
    pub async fn must_let_invite(&self, id: ProjectId, actor: UserId, role: Role) -> Result<u64, CommandError> {
        let project = self.load_project(id).await?;
        let somebody = UserId(self.clock.new_id());
        let teams = self.teams_of(project.board(), None, true).await?;
        let context = Context {
            actor,
            at: self.clock.now(),
            jitter: 0,
            id,
            fresh_id: somebody.0,
            origin: Origin::Live,
            teams: teams.all,
            template: None,
            invitation: None,
        };
        decide(&project, &ProjectCommand::SetMember(SetMember { user_id: somebody, role }), &context)?;
        Ok(project.version)
    }

    /// Returns for each invitation whether it still carries its maker's authority.
    pub async fn carry_authority(&self, project: &Project, made: &[Invitation]) -> Result<Vec<bool>, CommandError> {
        let Some(board) = project.board() else { return Ok(vec![false; made.len()]) };
        let teams = self.teams_of(Some(board), None, true).await?;
        let access = Access::new(board, &teams.all);
        Ok(made.iter().map(|invitation| may_invite(board, access, *invitation)).collect())
    }

    /// Refuses actors who may not see and revoke invitations, which are those who may not invite with any role. An
    /// archived project does not matter here.
    pub async fn must_let_see_invitations(&self, id: ProjectId, actor: UserId) -> Result<(), CommandError> {
        match self.must_let_invite(id, actor, Role::Viewer).await {
            Ok(_) | Err(CommandError::Refused(Refusal::ProjectArchived)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
