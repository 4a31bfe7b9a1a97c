//! Role of a person in a project: the highest of their own and those of their teams.

use std::sync::Arc;

use crate::ids::{TeamId, UserId};
use crate::project::Board;
use crate::role::Role;
use crate::team::Team;

/// A project's members, with the teams it gives roles to.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    board: &'a Board,
    /// Teams of `board.teams`; one that is not here gives nothing.
    teams: &'a [Arc<Team>],
}

/// A team when an invitation was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TeamThen {
    pub team_id: TeamId,
    /// Version of the team then; 0 if it did not exist.
    pub version: u64,
}

impl<'a> Access<'a> {
    pub fn new(board: &'a Board, teams: &'a [Arc<Team>]) -> Self {
        Self { board, teams }
    }

    /// Returns whether a team through which the person had a role when an invitation was made has lost the role, or the
    /// person, since then. `made_at`: version of the project then.
    pub(crate) fn has_lost_team_since(&self, made_at: u64, teams_then: &[TeamThen], user: UserId) -> bool {
        teams_then.iter().any(|then| {
            // What cannot be known counts as lost.
            let Some(team) = self.teams.iter().find(|team| team.id() == Some(then.team_id)) else { return true };
            let is_member = team.present().is_some_and(|team| team.role_of(user).is_some());
            team.has_departed_since(then.version, user)
                || is_member && self.board.has_withdrawn_team_since(made_at, then.team_id)
        })
    }

    pub fn role_of(&self, user: UserId) -> Option<Role> {
        let own = self.board.role_of(user);
        let teams = self.teams.iter().filter_map(|team| team.present());
        let through_teams = teams
            .filter(|team| team.role_of(user).is_some())
            .filter_map(|team| self.board.teams.iter().find(|grant| grant.team_id == team.id))
            .map(|grant| grant.role);
        through_teams.chain(own).max()
    }
}
