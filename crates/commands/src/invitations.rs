//! Permission to invite people to a project.

use std::sync::Arc;

use taskfold_domain::ids::{ProjectId, TeamId, UserId};
use taskfold_domain::project::commands::SetMember;
use taskfold_domain::project::{Context, Invitation, decide, may_invite, needed_for};
use taskfold_domain::task::Origin;
use taskfold_domain::{Access, Project, ProjectCommand, Refusal, Role, Team, TeamThen};
use taskfold_event_log::deadline::{REQUEST, within};
use uuid::Uuid;

use super::Engine;
use super::envelope::CommandError;

/// An invitation that is in force, as it was made.
#[derive(Clone, Copy, Debug)]
pub struct MadeInvitation {
    pub invitation: Invitation,
    /// Position of the log on which it was made.
    pub position: i64,
}

impl Engine {
    /// Refuses actors who may not give `role` to a new member, by the decision that adds one: whoever may add a member
    /// may invite one. Returns the invitation that may be made.
    pub async fn must_let_invite(
        &self,
        id: ProjectId,
        actor: UserId,
        role: Role,
    ) -> Result<MadeInvitation, CommandError> {
        // Before the project and the teams are loaded: what happens in between counts as later.
        let reading = taskfold_event_log::head(&self.pool);
        let position = within(REQUEST, reading).await?;
        let project = self.load_project(id).await?;
        let somebody = UserId(self.clock.new_id());
        let teams = self.teams_of(project.board(), &[], true).await?;
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
            teams_then: Vec::new(),
        };
        decide(&project, &ProjectCommand::SetMember(SetMember { user_id: somebody, role }), &context)?;
        let own = project.board().and_then(|board| board.role_of(actor));
        let through_team = own.is_none_or(|own| own < needed_for(role));
        let invitation = Invitation { role, made_by: actor, made_at: project.version, through_team };
        Ok(MadeInvitation { invitation, position })
    }

    /// Returns for each invitation whether it still carries its maker's authority.
    pub async fn carry_authority(&self, project: &Project, made: &[MadeInvitation]) -> Result<Vec<bool>, CommandError> {
        let Some(board) = project.board() else { return Ok(vec![false; made.len()]) };
        let first = made.iter().map(|made| made.invitation.made_at).min().unwrap_or_default();
        let withdrawn: Vec<TeamId> = board.teams_withdrawn_since(first).collect();
        let teams = self.teams_of(Some(board), &withdrawn, true).await?;
        let access = Access::new(board, &teams.all);
        let mut carry = Vec::with_capacity(made.len());
        for MadeInvitation { invitation, position } in made {
            let then = if invitation.through_team { self.teams_then(&teams.all, *position).await? } else { Vec::new() };
            carry.push(may_invite(board, access, *invitation, &then));
        }
        Ok(carry)
    }

    /// Versions of the teams at a position of the log.
    pub(super) async fn teams_then(&self, teams: &[Arc<Team>], position: i64) -> Result<Vec<TeamThen>, CommandError> {
        let ids: Vec<Uuid> = teams.iter().filter_map(|team| team.id()).map(|id| id.0).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let reading = sqlx::query!(
            r#"
            SELECT t.id AS "id!", coalesce((
                SELECT max(e.sequence) FROM events e
                WHERE e.aggregate_type = 'team' AND e.aggregate_id = t.id::text AND e.position <= $2), 0) AS "version!"
            FROM unnest($1::uuid[]) AS t (id)
            "#,
            &ids,
            position,
        );
        let versions = within(REQUEST, reading.fetch_all(&self.pool)).await?;
        let then = versions.into_iter();
        Ok(then.map(|row| TeamThen { team_id: TeamId(row.id), version: row.version.unsigned_abs() }).collect())
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
