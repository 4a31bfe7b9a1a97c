//! Values that the events and the state of a team are made of. They depend on neither.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::UserId;

/// Role in a team. The role that a team has in a project is a [`crate::Role`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TeamRole {
    /// Has the roles that projects give to the team.
    Member,
    /// May change the members.
    Owner,
}

impl TeamRole {
    /// From the less to the more powerful.
    pub const ALL: [Self; 2] = [Self::Member, Self::Owner];

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
