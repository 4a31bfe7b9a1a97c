//! Personal frames: the notifications and the copies of events that the channel `me` delivers.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use taskfold_event_log::{EventRow, LoggedEvent};
use uuid::Uuid;

use super::cursor::Cursor;
use super::frame::{ChannelId, Frame, FrameKind, encode};
use super::membership::{RequiredTables, require_checkpoint};

/// A notification, in the JSON of frames and of lists.
#[derive(Debug, Serialize)]
struct NotificationRow {
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

/// Selects the notifications that are not muted, and whose project the user could see then, with a further condition
/// and an order. `OFFSET 0` makes PostgreSQL look up the access of each row by index, and not that of all users.
macro_rules! select_notifications {
    ($condition:literal, $order:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            NotificationRow,
            r#"
            SELECT n.notification_id AS id, n.kind, n.position, n.project_id, n.task_id, n.comment_id, n.actor_id,
                   n.occurred_at, n.user_id
            FROM notifications n LEFT JOIN notification_settings s ON s.user_id = n.user_id
            WHERE n.kind <> ALL (coalesce(s.muted, '{}'))
              AND EXISTS (SELECT FROM project_access a WHERE a.user_id = n.user_id AND a.project_id = n.project_id
                  AND a.from_position <= n.position AND (a.to_position IS NULL OR a.to_position >= n.position) OFFSET 0)
              AND "# + $condition + " ORDER BY " + $order,
            $($argument),*
        )
    };
}

/// Reads the personal frames of all users for these events, which are after `after` and up to `upto`: without muted
/// notifications, and without those of projects that the user could not see then.
pub async fn of_events(
    pool: &PgPool,
    epoch: usize,
    events: &[Frame],
    (after, upto): (i64, i64),
) -> sqlx::Result<Vec<Frame>> {
    require_checkpoint(pool, RequiredTables::Intervals, upto).await?;
    let notifications =
        select_notifications!("n.position > $1 AND n.position <= $2", "n.position", after, upto).fetch_all(pool);
    // A list, and not a range: a plan that suits all ranges reads the whole table.
    let positions: Vec<i64> = (after + 1..=upto).collect();
    let recipients = sqlx::query!(
        r#"
        SELECT position AS "position!", user_id AS "user_id!" FROM channel_events
        WHERE position = ANY ($1) AND user_id IS NOT NULL
        UNION
        SELECT c.position, m.user_id FROM channel_events c JOIN team_memberships m ON m.team_id = c.team_id
            AND m.from_position <= c.position AND (m.to_position IS NULL OR m.to_position >= c.position)
        WHERE c.position = ANY ($1)
        "#,
        &positions,
    )
    .fetch_all(pool);
    let (notifications, recipients) = tokio::try_join!(notifications, recipients)?;
    let event_at = |position| {
        let index = events.binary_search_by_key(&position, |event| event.at.position());
        index.ok().map(|index| &events[index])
    };
    let copies = recipients.into_iter().filter_map(|to| Some(event_at(to.position)?.copy_for(to.user_id)));
    Ok(notifications.iter().map(|row| row.frame(epoch)).chain(copies).collect())
}

/// Reads the personal frames of one user from the tables and the log, at most `limit`, in order.
pub async fn of_user(
    pool: &PgPool,
    user: Uuid,
    epoch: usize,
    after: Cursor,
    (upto, limit): (i64, i64),
) -> sqlx::Result<Vec<Frame>> {
    // Row comparisons, here and below, admit only the index of the one user or team.
    let notifications = select_notifications!(
        "n.user_id = $3 AND (n.user_id, n.position) > ($3, $1) AND (n.user_id, n.position) <= ($3, $2)",
        "n.position LIMIT $4",
        after.personal_position(),
        upto,
        user,
        limit
    )
    .fetch_all(pool)
    .await?;
    let events = sqlx::query_as!(
        EventRow,
        r#"
        SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version,
               payload::text AS "payload!", words AS "words: _", project_id, actor_id, command_id,
               occurred_at AS "occurred_at: _", recorded_at AS "recorded_at: _", traceparent
        FROM events
        WHERE position = ANY (ARRAY(
            (SELECT c.position FROM channel_events c
             WHERE c.user_id = $1 AND (c.user_id, c.position) > ($1, $2) AND (c.user_id, c.position) <= ($1, $3)
             ORDER BY c.user_id, c.position LIMIT $4)
            UNION
            (SELECT of_team.position FROM team_memberships m CROSS JOIN LATERAL (
                SELECT c.position FROM channel_events c
                WHERE c.team_id = m.team_id
                  AND (c.team_id, c.position) > (m.team_id, greatest($2, m.from_position - 1))
                  AND (c.team_id, c.position) <= (m.team_id, least($3, m.to_position))
                ORDER BY c.team_id, c.position LIMIT $4) AS of_team
             WHERE m.user_id = $1 AND m.from_position <= $3 AND (m.to_position IS NULL OR m.to_position > $2))))
        ORDER BY position LIMIT $4
        "#,
        user,
        after.position(),
        upto,
        limit,
    )
    .map(LoggedEvent::from)
    .fetch_all(pool)
    .await?;
    let copies = events.iter().map(|event| Frame::from_log(event, epoch).copy_for(user));
    let mut frames: Vec<Frame> = notifications.iter().map(|row| row.frame(epoch)).chain(copies).collect();
    frames.sort_by_key(Frame::order);
    // Both queries may have more rows, and nothing after the first omitted one may be served yet.
    frames.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(frames)
}

impl NotificationRow {
    fn frame(&self, epoch: usize) -> Frame {
        let at = Cursor::before(self.position);
        let json = serde_json::to_string(self).unwrap_or_default();
        let bytes = encode(Some(at.id(epoch)), "notification", None, &json);
        Frame { at, channel: ChannelId::Person(self.user_id), kind: FrameKind::Plain, bytes }
    }
}
