//! State of a project, folded from its events.

use serde::{Deserialize, Serialize};

use super::events::ProjectEvent;
use super::fields::Fields;
use super::values::{Member, TeamGrant};
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
            self.board = Some(Box::new(Board { id, fields, members: Vec::new(), teams: Vec::new() }));
        }
        if let Some(board) = &mut self.board {
            board.fields.apply(event);
            event.role_changes().into_iter().for_each(|change| board.apply_role(change));
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

    pub fn role_of(&self, user: UserId) -> Option<Role> {
        self.members.iter().find(|member| member.user_id == user).map(|member| member.role)
    }
}
