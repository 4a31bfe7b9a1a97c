//! State of a team, folded from its events.

use serde::{Deserialize, Serialize};

use super::events::TeamEvent;
use super::fields::Fields;
use super::values::{TeamMember, TeamRole};
use crate::ids::{TeamId, UserId};
use crate::merge::Touches;
use crate::role::set;

/// A team, folded from its events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Team {
    /// Number of its events.
    pub version: u64,
    /// Version of the last event that edits it.
    pub edited_version: u64,
    situation: Situation,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Situation {
    #[default]
    Absent,
    Present(TeamMembers),
    Deleted,
}

/// A team's fields, and who is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TeamMembers {
    pub id: TeamId,
    pub fields: Fields,
    pub members: Vec<TeamMember>,
}

impl Team {
    /// Approximate size in memory, in bytes, for caches that are bounded by it.
    pub fn bytes(&self) -> usize {
        let heap = |team: &TeamMembers| team.fields.name.len() + size_of_val(team.members.as_slice());
        size_of::<Self>() + self.present().map_or(0, heap)
    }

    /// The team, unless it never existed or is deleted.
    pub fn present(&self) -> Option<&TeamMembers> {
        match &self.situation {
            Situation::Present(team) => Some(team),
            Situation::Absent | Situation::Deleted => None,
        }
    }

    /// Tells whether the id is taken, also when the team is deleted by now.
    pub fn id_is_taken(&self) -> bool {
        self.situation != Situation::Absent
    }

    pub fn apply(&mut self, event: &TeamEvent) {
        self.version += 1;
        if event.is_edit() {
            self.edited_version = self.version;
        }
        if let TeamEvent::Created(e) = event {
            let (id, fields) = (e.id.to, Fields::new(e));
            self.situation = Situation::Present(TeamMembers { id, fields, members: Vec::new() });
        }
        if let Situation::Present(team) = &mut self.situation {
            team.apply(event);
        }
        if matches!(event, TeamEvent::Deleted(_)) {
            self.situation = Situation::Deleted;
        }
    }
}

impl TeamMembers {
    pub fn role_of(&self, user: UserId) -> Option<TeamRole> {
        self.members.iter().find(|member| member.user_id == user).map(|member| member.role)
    }

    fn apply(&mut self, event: &TeamEvent) {
        self.fields.apply(event);
        for change in event.role_changes() {
            let user_id = change.holder;
            let to = change.to.map(|role| TeamMember { user_id, role });
            set(&mut self.members, |member| member.user_id == user_id, to);
        }
    }
}
