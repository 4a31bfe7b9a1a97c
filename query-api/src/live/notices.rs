//! What people are told of events, as frames of the channel `me`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

use super::cursor::Cursor;
use super::frame::{Frame, Loses, encode};

/// A notification, as it is sent and as it is listed.
#[derive(Debug, Serialize, sqlx::FromRow)]
struct Told {
    #[sqlx(rename = "notification_id")]
    id: Uuid,
    kind: String,
    position: i64,
    project_id: Uuid,
    task_id: Uuid,
    comment_id: Option<Uuid>,
    actor_id: Uuid,
    occurred_at: DateTime<Utc>,
    #[serde(skip)]
    user_id: Uuid,
}

/// What these people are told of the events behind `after` and up to `upto`, in order, at most `limit`: only of what they want
/// to hear of, and of projects that they may see.
pub async fn told(pool: &PgPool, users: &[Uuid], after: i64, upto: i64, limit: i64) -> sqlx::Result<Vec<Frame>> {
    let told: Vec<Told> = sqlx::query_as(
        "SELECT n.notification_id, n.kind, n.position, n.project_id, n.task_id, n.comment_id, n.actor_id, n.occurred_at, \
                n.user_id \
         FROM notifications n LEFT JOIN notification_settings s ON s.user_id = n.user_id \
         WHERE n.user_id = ANY ($1) AND n.position > $2 AND n.position <= $3 \
           AND n.kind <> ALL (coalesce(s.muted, '{}')) \
           AND EXISTS (SELECT FROM project_roles r WHERE r.user_id = n.user_id AND r.project_id = n.project_id) \
         ORDER BY n.position LIMIT $4",
    )
    .bind(users)
    .bind(after)
    .bind(upto)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(told.iter().map(Told::frame).collect())
}

impl Told {
    fn frame(&self) -> Frame {
        let at = Cursor::told(self.position);
        let json = serde_json::to_string(self).unwrap_or_default();
        Frame { at, room: self.user_id, loses: Loses::Nobody, bytes: encode(Some(at), "notification", None, &json) }
    }
}
