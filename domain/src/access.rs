//! Role of a person in a project: the highest of their own and those of their teams.

use std::sync::Arc;

use crate::ids::UserId;
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

impl<'a> Access<'a> {
    pub fn new(board: &'a Board, teams: &'a [Arc<Team>]) -> Self {
        Self { board, teams }
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
