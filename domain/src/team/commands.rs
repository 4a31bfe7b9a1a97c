//! Commands on a team. They are the request bodies too, so an unknown field is refused.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::values::TeamRole;
use crate::empty::Empty;
use crate::events::commands;
use crate::ids::{TeamId, UserId};
use crate::input::Name;
use crate::patch;

commands! {
    /// A command on one team, by its name in JSON.
    TeamCommand by TeamRole {
        // Anybody may make a team, and is its owner.
        "team.create" Member => Create(CreateTeam),
        "team.edit" Owner => Edit(EditTeam),
        "team.set_member" Owner => SetMember(SetTeamMember),
        // Anybody may leave.
        "team.remove_member" Owner => RemoveMember(TeamMemberRef),
        "team.delete" Owner => Delete(Empty),
    }
}

/// A new team, its caller the owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTeam {
    /// The client's own id (a UUID), for optimistic creation; else the server makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TeamId>,
    #[schema(min_length = 1, max_length = 500, example = "Design")]
    pub name: Name,
}

/// A merge patch (RFC 7396).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditTeam {
    #[serde(default, deserialize_with = "patch::not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetTeamMember {
    pub user_id: UserId,
    pub role: TeamRole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamMemberRef {
    pub user_id: UserId,
}
