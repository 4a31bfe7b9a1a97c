//! State of a project, folded from its events.

use serde::{Deserialize, Serialize};

use super::events::ProjectEvent;
use super::fields::Fields;
use super::values::{Member, TeamGrant};
use super::withdrawal::{Withdrawal, WithdrawalKind};
use crate::ids::{ProjectId, UserId};
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
    /// The last one of each person who has ever lost authority.
    pub(super) withdrawals: Vec<Withdrawal>,
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
            let (members, teams, withdrawals) = (Vec::new(), Vec::new(), Vec::new());
            self.board = Some(Box::new(Board { id, fields, members, teams, withdrawals }));
        }
        if let Some(board) = &mut self.board {
            board.fields.apply(event);
            event.role_changes().into_iter().for_each(|change| board.apply_role(change));
            if let Some(withdrawal) = Withdrawal::of(event, self.version) {
                set(&mut board.withdrawals, |last| last.user_id == withdrawal.user_id, Some(withdrawal));
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

    /// Returns whether the person lost authority after this version of the project.
    pub(super) fn has_lost_authority_since(&self, version: u64, user: UserId) -> bool {
        self.withdrawal_of(user).is_some_and(|last| last.version > version)
    }

    /// Returns whether somebody else removed or demoted the person after this version of the project.
    pub(super) fn was_removed_or_demoted_since(&self, version: u64, user: UserId) -> bool {
        self.withdrawal_of(user).is_some_and(|last| match last.kind {
            WithdrawalKind::Removed | WithdrawalKind::Demoted => last.version > version,
            WithdrawalKind::Left => false,
        })
    }

    /// Returns whether the person is no member because they left on their own.
    pub(super) fn has_left(&self, user: UserId) -> bool {
        let left = self.withdrawal_of(user).is_some_and(|last| last.kind == WithdrawalKind::Left);
        left && self.role_of(user).is_none()
    }

    fn withdrawal_of(&self, user: UserId) -> Option<&Withdrawal> {
        self.withdrawals.iter().find(|last| last.user_id == user)
    }

    pub fn role_of(&self, user: UserId) -> Option<Role> {
        self.members.iter().find(|member| member.user_id == user).map(|member| member.role)
    }
}
