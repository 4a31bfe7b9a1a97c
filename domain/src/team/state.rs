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
    /// The last time at which each person who has ever been removed, or was there at the deletion, was so.
    departures: Vec<Departure>,
}

/// The end of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Departure {
    user_id: UserId,
    /// Version of the team since then.
    version: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Situation {
    #[default]
    Absent,
    Present(TeamMembers),
    Deleted(TeamId),
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
        size_of::<Self>() + self.present().map_or(0, heap) + size_of_val(self.departures.as_slice())
    }

    /// The team, unless it never existed or is deleted.
    pub fn present(&self) -> Option<&TeamMembers> {
        match &self.situation {
            Situation::Present(team) => Some(team),
            Situation::Absent | Situation::Deleted(_) => None,
        }
    }

    /// Tells whether the id is taken, also when the team is deleted by now.
    pub fn id_is_taken(&self) -> bool {
        self.situation != Situation::Absent
    }

    /// The team's id, also when the team is deleted by now.
    pub fn id(&self) -> Option<TeamId> {
        match &self.situation {
            Situation::Absent => None,
            Situation::Present(team) => Some(team.id),
            Situation::Deleted(id) => Some(*id),
        }
    }

    /// Returns whether the person stopped being a member after this version of the team.
    pub(crate) fn has_departed_since(&self, version: u64, user: UserId) -> bool {
        self.departures.iter().any(|last| last.user_id == user && last.version > version)
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
        for change in event.role_changes().iter().filter(|change| change.is_removal()) {
            let departure = Departure { user_id: change.holder, version: self.version };
            set(&mut self.departures, |last| last.user_id == change.holder, Some(departure));
        }
        if let (TeamEvent::Deleted(_), Some(id)) = (event, self.id()) {
            self.situation = Situation::Deleted(id);
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
