//! Rows of the teams that have a role in a project, and of those that had.

use taskfold_domain::Role;
use uuid::Uuid;

use crate::read_models::intervals::open;
use crate::row::rows;

rows! {
    pub struct ProjectTeamRow in "project_teams" version 2 digest "3b91eef7-5484-503b-9674-2aff28a42c1c"
        by (project_id, team_id): (Uuid, Uuid) {
        pub project_id: Uuid,
        pub team_id: Uuid,
        pub role: Role,
        pub position: i64,
        pub from_position: i64,
    }

    pub struct PastProjectTeamRow in "past_project_teams" version 1 digest "39e1d2aa-ebf0-5673-a945-134c9ee04142"
        by (project_id, team_id, from_position): (Uuid, Uuid, i64) {
        pub project_id: Uuid,
        pub team_id: Uuid,
        pub role: Role,
        pub from_position: i64,
        pub to_position: i64,
    }
}

open!(ProjectTeamRow (project_id, team_id, Role) ends as PastProjectTeamRow);
