//! Rows of a project's members, and of those who were members.

use taskfold_domain::Role;
use uuid::Uuid;

use crate::read_models::intervals::open;
use crate::row::rows;

rows! {
    pub struct MemberRow in "project_members" version 2 digest "02cd1fa2-1d93-5524-b052-9ef9a0883b6b"
        by (project_id, user_id): (Uuid, Uuid) {
        pub project_id: Uuid,
        pub user_id: Uuid,
        pub role: Role,
        pub position: i64,
        pub from_position: i64,
    }

    pub struct PastMemberRow in "past_project_members" version 1 digest "2143bf35-454b-58b5-b3d7-7a6f50f0f487"
        by (project_id, user_id, from_position): (Uuid, Uuid, i64) {
        pub project_id: Uuid,
        pub user_id: Uuid,
        pub role: Role,
        pub from_position: i64,
        pub to_position: i64,
    }
}

open!(MemberRow (project_id, user_id, Role) ends as PastMemberRow);
