//! Events of a team. Their payloads are what callers see as `changes` and what the log keeps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::values::{TeamMember, TeamRole};
use crate::creation::Creation;
use crate::delta::{Added, Delta, Removed};
use crate::events::events;
use crate::ids::{TeamId, UserId};
use crate::merge::{Touch, Touches, field, member};
use crate::role::RoleChange;

events! {
    /// An event of a team.
    TeamEvent {
        "team.created" v "1" => Created(Created),
        "team.renamed" v "1" => Renamed(Renamed),
        "team.member_added" v "1" => MemberAdded(MemberAdded),
        "team.member_role_changed" v "1" => MemberRoleChanged(MemberRoleChanged),
        "team.member_removed" v "1" => MemberRemoved(MemberRemoved),
        "team.deleted" v "1" => Deleted(Deleted),
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TeamCreated)]
pub struct Created {
    pub id: Added<TeamId>,
    #[serde(serialize_with = "crate::words::serialize")]
    pub name: Added<String>,
    pub members: Added<Vec<TeamMember>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TeamRenamed)]
pub struct Renamed {
    #[serde(serialize_with = "crate::words::serialize")]
    pub name: Delta<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TeamMemberAdded)]
pub struct MemberAdded {
    pub member: Added<TeamMember>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TeamMemberRoleChanged)]
pub struct MemberRoleChanged {
    pub member: Delta<TeamMember>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TeamMemberRemoved)]
pub struct MemberRemoved {
    pub member: Removed<TeamMember>,
}

/// Deletion of the team, which gives nobody a role any more. Names its members, who lose their roles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TeamDeleted)]
pub struct Deleted {
    pub members: Removed<Vec<TeamMember>>,
}

impl Touches for TeamEvent {
    fn touches(&self) -> Vec<Touch> {
        match self {
            Self::Created(_) => field("id"),
            Self::Renamed(_) => field("name"),
            Self::MemberAdded(e) => member("members", e.member.to.user_id.0),
            Self::MemberRoleChanged(e) => member("members", e.member.to.user_id.0),
            Self::MemberRemoved(e) => member("members", e.member.from.user_id.0),
            Self::Deleted(_) => field("deleted"),
        }
    }
}

impl TeamEvent {
    /// Changes of roles in the team.
    pub fn role_changes(&self) -> Vec<RoleChange<UserId, TeamRole>> {
        match self {
            Self::Created(e) => e.members.to.iter().map(|m| RoleChange::added(m.user_id, m.role)).collect(),
            Self::MemberAdded(e) => vec![RoleChange::added(e.member.to.user_id, e.member.to.role)],
            Self::MemberRoleChanged(MemberRoleChanged { member: Delta { from, to } }) => {
                vec![RoleChange::changed(to.user_id, from.role, to.role)]
            }
            Self::MemberRemoved(e) => vec![RoleChange::removed(e.member.from.user_id, e.member.from.role)],
            Self::Deleted(e) => e.members.from.iter().map(|m| RoleChange::removed(m.user_id, m.role)).collect(),
            Self::Renamed(_) => vec![],
        }
    }
}

impl TeamEvent {
    /// Returns whether somebody loses a role by the event, and may lose access to a project with it.
    pub fn ends_access(&self) -> bool {
        self.role_changes().iter().any(RoleChange::is_removal)
    }

    pub fn creates(&self) -> Creation {
        match self {
            Self::Created(_) => Creation::Aggregate,
            Self::MemberAdded(e) => Creation::Inside(e.member.to.user_id.0),
            Self::Renamed(_) | Self::MemberRoleChanged(_) | Self::MemberRemoved(_) | Self::Deleted(_) => {
                Creation::Nothing
            }
        }
    }
}
