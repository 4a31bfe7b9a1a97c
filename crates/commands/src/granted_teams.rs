//! Teams that projects grant roles to, and the roles that follow.

use std::sync::Arc;

use taskfold_domain::Team;
use taskfold_domain::ids::{ProjectId, TeamId, UserId};
use taskfold_domain::project::Board;
use taskfold_domain::{Access, Refusal, Role, SubjectKind};

use super::Engine;
use super::append::{ExpectedVersion, Guard};
use super::envelope::CommandError;

/// Teams that a decision depends on.
#[derive(Default)]
pub struct Teams {
    pub all: Vec<Arc<Team>>,
    guards: Vec<Guard>,
    /// All of them were read from the log just now.
    pub fresh: bool,
}

impl Teams {
    /// Guards for the append, which refuses the command if one of the teams has changed.
    pub fn guards(&self) -> Vec<Guard> {
        self.guards.clone()
    }
}

impl Engine {
    /// Loads the teams that the project grants roles to, and others that the decision depends on.
    pub(super) async fn teams_of(
        &self,
        board: Option<&Board>,
        others: &[TeamId],
        fresh: bool,
    ) -> Result<Teams, CommandError> {
        let mut ids: Vec<TeamId> = Vec::new();
        for grant in board.map(|board| &board.teams).into_iter().flatten() {
            ids.push(grant.team_id);
        }
        ids.extend(others.iter().filter(|other| !ids.contains(other)).copied().collect::<Vec<_>>());
        let mut teams = Teams { fresh: true, ..Teams::default() };
        for id in ids {
            let loaded = self.teams.load(id.0, fresh).await?;
            teams.fresh &= loaded.fresh;
            let expected = ExpectedVersion { version: loaded.state.version, command_id: loaded.command };
            teams.guards.push(Guard { aggregate_type: SubjectKind::Team.as_str(), aggregate: id.0, expected });
            teams.all.push(loaded.state);
        }
        Ok(teams)
    }

    /// Role of a user in a project as of now; `None` for somebody who may not know of it.
    pub async fn role_in(&self, project: ProjectId, user: UserId) -> Result<Option<Role>, CommandError> {
        let project = self.load_project(project).await?;
        let Some(board) = project.board() else { return Ok(None) };
        let teams = self.teams_of(Some(board), &[], true).await?;
        Ok(Access::new(board, &teams.all).role_of(user))
    }

    /// Refuses users without an account, or with an erased one. Only an import adds placeholders: whoever has one in a
    /// project may offer it to somebody, as the author of its history.
    pub(super) async fn must_have_account(&self, user: UserId, import: bool) -> Result<(), CommandError> {
        let known = sqlx::query_scalar!(
            r#"
            SELECT EXISTS (SELECT FROM accounts WHERE user_id = $1 AND ($2 OR username NOT LIKE '~%')) AS "known!"
            "#,
            user.0,
            import,
        )
        .fetch_one(&self.pool)
        .await?;
        if known { Ok(()) } else { Err(Refusal::NotFound.into()) }
    }
}
