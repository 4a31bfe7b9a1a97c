//! State of a project, folded from its events.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::events::ProjectEvent;
use super::fields::Fields;
use super::values::{Member, TeamGrant};
use super::withdrawal::{TeamWithdrawal, Withdrawal, Withdrawals};
use crate::ids::{ProjectId, TeamId, UserId};
use crate::merge::Touches;
use crate::role::{Holder, Role, RoleChange, set};

/// A project, folded from its events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Number of its events.
    pub version: u64,
    /// Version of the last event that edits it.
    pub edited_version: u64,
    board: Option<Box<Board>>,
}

/// A project's fields, and who has a role in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Board {
    pub id: ProjectId,
    pub fields: Fields,
    pub members: Vec<Member>,
    pub teams: Vec<TeamGrant>,
    /// Columns and labels that were removed, with the version that removed them. Their ids are not given out again: tasks
    /// may still have them.
    pub(super) removed: Vec<(Uuid, u64)>,
    /// Of each person who has ever lost authority.
    pub(super) withdrawals: Vec<Withdrawals>,
    /// Of each team that has ever lost its role, or a part of it.
    pub(super) team_withdrawals: Vec<TeamWithdrawal>,
}

impl Project {
    pub fn board(&self) -> Option<&Board> {
        self.board.as_deref()
    }

    pub fn apply(&mut self, event: &ProjectEvent) {
        self.version += 1;
        if event.is_edit() {
            self.edited_version = self.version;
        }
        if let ProjectEvent::Created(created) = event {
            let (id, fields) = (created.id.to, Fields::new(created));
            self.board = Some(Box::new(Board {
                id,
                fields,
                members: Vec::new(),
                teams: Vec::new(),
                removed: Vec::new(),
                withdrawals: Vec::new(),
                team_withdrawals: Vec::new(),
            }));
        }
        if let Some(board) = &mut self.board {
            board.fields.apply(event);
            event.role_changes().into_iter().for_each(|change| board.apply_role(change));
            board.removed.extend(event.removes().map(|id| (id, self.version)));
            if let Some(withdrawal) = Withdrawal::of(event) {
                board.withdraw(withdrawal, self.version);
            }
        }
    }
}

impl Board {
    fn apply_role(&mut self, change: RoleChange<Holder, Role>) {
        match change.holder {
            Holder::Person(user_id) => {
                let to = change.to.map(|role| Member { user_id, role });
                set(&mut self.members, |member| member.user_id == user_id, to);
            }
            Holder::Team(team_id) => {
                let to = change.to.map(|role| TeamGrant { team_id, role });
                set(&mut self.teams, |grant| grant.team_id == team_id, to);
            }
        }
    }

    fn withdraw(&mut self, withdrawal: Withdrawal, version: u64) {
        let (user_id, left) = match withdrawal {
            Withdrawal::Taken(user_id) => (user_id, false),
            Withdrawal::Left(user_id) => (user_id, true),
            Withdrawal::OfTeam(team_id) => {
                let of_team = TeamWithdrawal { team_id, version };
                return set(&mut self.team_withdrawals, |last| last.team_id == team_id, Some(of_team));
            }
        };
        let taken_before = self.withdrawals_of(user_id).and_then(|before| before.last_taken);
        let last_taken = if left { taken_before } else { Some(version) };
        let of_user = Withdrawals { user_id, last: version, last_taken, left };
        set(&mut self.withdrawals, |before| before.user_id == user_id, Some(of_user));
    }

    /// Returns whether the person lost authority of their own after this version of the project.
    pub(super) fn has_lost_authority_since(&self, version: u64, user: UserId) -> bool {
        self.withdrawals_of(user).is_some_and(|of_user| of_user.last > version)
    }

    /// Returns whether somebody else removed or demoted the person after this version of the project.
    pub(super) fn was_removed_or_demoted_since(&self, version: u64, user: UserId) -> bool {
        self.withdrawals_of(user).and_then(|of_user| of_user.last_taken).is_some_and(|taken| taken > version)
    }

    /// Returns whether the person is no member because they left on their own.
    pub(super) fn has_left(&self, user: UserId) -> bool {
        self.withdrawals_of(user).is_some_and(|of_user| of_user.left) && self.role_of(user).is_none()
    }

    /// Version of the project that removed the column or label.
    pub fn removed_at(&self, id: Uuid) -> Option<u64> {
        self.removed.iter().find(|(removed, _)| *removed == id).map(|(_, version)| *version)
    }

    /// Version of the project at which the person lost the role of their own that they had; none if they have one, or
    /// never had one.
    pub fn left_at(&self, user: UserId) -> Option<u64> {
        self.withdrawals_of(user).filter(|_| self.role_of(user).is_none()).map(|of_user| of_user.last)
    }

    fn withdrawals_of(&self, user: UserId) -> Option<&Withdrawals> {
        self.withdrawals.iter().find(|of_user| of_user.user_id == user)
    }

    /// Returns whether the team lost its role, or a part of it, after this version of the project.
    pub(crate) fn has_withdrawn_team_since(&self, version: u64, team: TeamId) -> bool {
        self.team_withdrawals.iter().any(|last| last.team_id == team && last.version > version)
    }

    /// Teams that had another role at this version of the project, or may have had one.
    pub fn teams_withdrawn_since(&self, version: u64) -> impl Iterator<Item = TeamId> {
        self.team_withdrawals.iter().filter(move |last| last.version > version).map(|last| last.team_id)
    }

    pub fn role_of(&self, user: UserId) -> Option<Role> {
        self.members.iter().find(|member| member.user_id == user).map(|member| member.role)
    }
}
