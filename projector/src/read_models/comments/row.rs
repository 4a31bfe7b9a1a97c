//! Row of a comment, with the reactions to it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::UserId;
use uuid::Uuid;

use crate::field::as_json;
use crate::row::rows;

rows! {
    pub struct CommentRow in "comments" version 1 digest "92260dc4-aa60-5e61-8c4c-07b29bddf4cb"
        by (task_id, comment_id): (Uuid, Uuid) {
        pub task_id: Uuid,
        pub comment_id: Uuid,
        pub project_id: Uuid,
        pub author_id: Uuid,
        pub text: String,
        pub mentions: Vec<UserId>,
        pub created_at: DateTime<Utc>,
        pub edited_at: Option<DateTime<Utc>>,
        pub reactions: Vec<ReactionOf>,
        pub position: i64,
    }
}

/// A reaction, in the row of its comment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReactionOf {
    pub emoji: String,
    pub user_id: Uuid,
}

as_json!(ReactionOf);
