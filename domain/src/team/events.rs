//! What has happened to a team. The payloads are what callers see as `changes` and what the log keeps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::state::TeamMember;
use crate::delta::{Added, Delta, Removed};
use crate::events::events;
use crate::ids::TeamId;

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
    pub name: Added<String>,
    pub members: Added<Vec<TeamMember>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TeamRenamed)]
pub struct Renamed {
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

/// The team is gone, and gives nobody a role any more. It names who was in it, because that is who loses something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TeamDeleted)]
pub struct Deleted {
    pub members: Removed<Vec<TeamMember>>,
}
