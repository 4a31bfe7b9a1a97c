//! Row of a project: its fields, and where it comes from.

use chrono::{DateTime, Utc};
use taskfold_domain::ids::UserId;
use taskfold_domain::project::{Column, Fields, Label, SavedFilter};
use uuid::Uuid;

use crate::row::rows;

rows! {
    pub struct ProjectRow in "projects" version 1 digest "fe902a93-8db0-5f3b-9d42-61a68b7a61ae"
        by (project_id): Uuid {
        pub project_id: Uuid,
        pub created_at: DateTime<Utc>,
        pub created_by: Uuid,
        pub updated_at: DateTime<Utc>,
        pub version: i64,
        pub position: i64,
    } with pub fields: Fields {
        name: String,
        description: String,
        columns: Vec<Column>,
        labels: Vec<Label>,
        watcher_ids: Vec<UserId>,
        filters: Vec<SavedFilter>,
        archived: bool,
    }
}
