//! Rows of a team's members, and of those who were members.

use taskfold_domain::team::TeamRole;
use uuid::Uuid;

use crate::read_models::intervals::open;
use crate::row::rows;

rows! {
    pub struct TeamMemberRow in "team_members" version 2 digest "e60faba5-efe4-5c6e-a965-b9dc1a853419"
        by (team_id, user_id): (Uuid, Uuid) {
        pub team_id: Uuid,
        pub user_id: Uuid,
        pub role: TeamRole,
        pub position: i64,
        pub from_position: i64,
    }

    pub struct PastTeamMemberRow in "past_team_members" version 1 digest "fb4f1546-9d4e-50d7-b159-d52cff044ecd"
        by (team_id, user_id, from_position): (Uuid, Uuid, i64) {
        pub team_id: Uuid,
        pub user_id: Uuid,
        pub role: TeamRole,
        pub from_position: i64,
        pub to_position: i64,
    }
}

open!(TeamMemberRow (team_id, user_id, TeamRole) ends as PastTeamMemberRow);
