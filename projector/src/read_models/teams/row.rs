//! Row of a team: its fields, and where it comes from.

use chrono::{DateTime, Utc};
use taskfold_domain::team::Fields;
use uuid::Uuid;

use crate::row::rows;

rows! {
    pub struct TeamRow in "teams" version 1 digest "feb40cb2-4d92-5a15-9736-a277a90130b9"
        by (team_id): Uuid {
        pub team_id: Uuid,
        pub created_at: DateTime<Utc>,
        pub created_by: Uuid,
        pub version: i64,
        pub position: i64,
    } with pub fields: Fields {
        name: String,
    }
}
