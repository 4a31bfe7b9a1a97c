use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::events::TeamEvent;
use crate::ids::{TeamId, UserId};
use crate::merge::Touches;

/// A team as its events leave it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Team {
    /// How many events it has had.
    pub version: u64,
    /// The version of the last event that edits it.
    pub edited_version: u64,
    situation: Situation,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Situation {
    #[default]
    Absent,
    Present(Roster),
    Deleted,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Roster {
    pub id: TeamId,
    pub name: String,
    pub members: Vec<TeamMember>,
}

/// What somebody may do in a team; what the team may do in a project is another thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TeamRole {
    /// Has the roles that projects give to the team.
    Member,
    /// Decides who is in it.
    Owner,
}

impl TeamRole {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LoggedTeamMember)]
pub struct TeamMember {
    pub user_id: UserId,
    pub role: TeamRole,
}

impl Team {
    /// The team, unless it never was or is deleted.
    /// About how many bytes it takes in memory, for caches that are bounded by them.
    pub fn bytes(&self) -> usize {
        let roster = |roster: &Roster| roster.name.len() + size_of_val(roster.members.as_slice());
        size_of::<Self>() + self.roster().map_or(0, roster)
    }

    pub fn roster(&self) -> Option<&Roster> {
        match &self.situation {
            Situation::Present(roster) => Some(roster),
            Situation::Absent | Situation::Deleted => None,
        }
    }

    /// Whether the id is given out, also when the team is gone by now.
    pub fn was(&self) -> bool {
        self.situation != Situation::Absent
    }

    pub fn apply(&mut self, event: TeamEvent) {
        self.version += 1;
        if event.is_edit() {
            self.edited_version = self.version;
        }
        match (&mut self.situation, event) {
            (situation, TeamEvent::Created(e)) => {
                *situation = Situation::Present(Roster { id: e.id.to, name: e.name.to, members: e.members.to });
            }
            (situation, TeamEvent::Deleted(_)) => *situation = Situation::Deleted,
            (Situation::Present(roster), event) => roster.apply(event),
            (Situation::Absent | Situation::Deleted, _) => {}
        }
    }
}

impl Roster {
    pub fn role_of(&self, user: UserId) -> Option<TeamRole> {
        self.members.iter().find(|m| m.user_id == user).map(|m| m.role)
    }

    fn apply(&mut self, event: TeamEvent) {
        match event {
            TeamEvent::Created(_) | TeamEvent::Deleted(_) => {}
            TeamEvent::Renamed(e) => self.name = e.name.to,
            TeamEvent::MemberAdded(e) => self.members.push(e.member.to),
            TeamEvent::MemberRoleChanged(e) => {
                if let Some(member) = self.members.iter_mut().find(|m| m.user_id == e.member.to.user_id) {
                    *member = e.member.to;
                }
            }
            TeamEvent::MemberRemoved(e) => self.members.retain(|m| m.user_id != e.member.from.user_id),
        }
    }
}
