//! What people are told of events, as frames of the channel `me`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use taskfold_event_log::{LoggedEvent, select_events};
use uuid::Uuid;

use super::cursor::Cursor;
use super::frame::{Frame, Loses, encode};
use super::membership::own_membership_events;

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

macro_rules! select_told {
    ($between:literal by $order:literal) => {
        concat!(
            "SELECT n.notification_id, n.kind, n.position, n.project_id, n.task_id, n.comment_id, n.actor_id, \
                    n.occurred_at, n.user_id \
             FROM notifications n LEFT JOIN notification_settings s ON s.user_id = n.user_id \
             WHERE n.kind <> ALL (coalesce(s.muted, '{}')) AND ",
            $between,
            " AND EXISTS (SELECT FROM project_roles r WHERE r.user_id = n.user_id AND r.project_id = n.project_id) \
             ORDER BY ",
            $order
        )
    };
}

/// What anybody is told of the events behind `after` and up to `upto`, in order: only of what they want to hear of, and of
/// projects that they may see.
pub async fn told(pool: &PgPool, after: i64, upto: i64) -> sqlx::Result<Vec<Frame>> {
    let told: Vec<Told> = sqlx::query_as(select_told!("n.position > $1 AND n.position <= $2" by "n.position"))
        .bind(after)
        .bind(upto)
        .fetch_all(pool)
        .await?;
    Ok(told.iter().map(Told::frame).collect())
}

/// The same of one person, with what happened in their teams and to their own memberships, at most `limit` of each.
pub async fn told_to(pool: &PgPool, user: Uuid, after: Cursor, upto: i64, limit: i64) -> sqlx::Result<Vec<Frame>> {
    // Rows are compared, here and below, so that none but the index of the one person serves.
    let told: Vec<Told> = sqlx::query_as(select_told!(
        "n.user_id = $3 AND (n.user_id, n.position) > ($3, $1) AND (n.user_id, n.position) <= ($3, $2)" by "n.position LIMIT $4"
    ))
    .bind(after.told_position())
    .bind(upto)
    .bind(user)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    let of_teams = taskfold_event_log::team_page_after(pool, user, after.position(), upto, limit).await?;
    let of_teams = of_teams.iter().filter_map(|event| Some(Frame::from_log(event).ok()?.for_person(user)));
    let own = own_memberships(pool, user, after.position(), upto, limit).await?;
    let own = own.iter().filter_map(|event| Some(Frame::from_log(event).ok()?.for_own(user)));
    let mut frames: Vec<Frame> = told.iter().map(Told::frame).chain(of_teams).chain(own).collect();
    frames.sort_by_key(|frame| frame.at);
    // Of either there may be more than this, and what comes behind the first that is cut off is not to be served yet.
    frames.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(frames)
}

/// What became of somebody's place in projects, of their own and through the teams that they are in.
async fn own_memberships(
    pool: &PgPool,
    user: Uuid,
    after: i64,
    upto: i64,
    limit: i64,
) -> sqlx::Result<Vec<LoggedEvent>> {
    // Each as its index in the migrations has it.
    sqlx::query_as(select_events!(
        "WHERE position = ANY (ARRAY( \
             (SELECT e.position FROM ",
        own_membership_events!(),
        " AND (of.id, e.position) > ($1::text, $2) AND (of.id, e.position) <= ($1::text, $3) \
              ORDER BY of.id, e.position LIMIT $4) \
             UNION ALL \
             (SELECT of_team.position FROM team_members m CROSS JOIN LATERAL ( \
                 SELECT e.position FROM events e \
                 CROSS JOIN LATERAL (SELECT coalesce(e.payload #>> '{changes,team,to,team_id}', e.payload #>> '{changes,team,from,team_id}')) AS of (id) \
                 WHERE e.event_type IN ('project.team_added', 'project.team_role_changed', 'project.team_removed') \
                   AND (of.id, e.position) > (m.team_id::text, $2) AND (of.id, e.position) <= (m.team_id::text, $3) \
                 ORDER BY of.id, e.position LIMIT $4) AS of_team \
              WHERE m.user_id = $1))) \
         ORDER BY position LIMIT $4"
    ))
    .bind(user)
    .bind(after)
    .bind(upto)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Who is in a team.
pub async fn members(pool: &PgPool, team: Uuid) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar("SELECT user_id FROM team_members WHERE team_id = $1").bind(team).fetch_all(pool).await
}

impl Told {
    fn frame(&self) -> Frame {
        let at = Cursor::told(self.position);
        let json = serde_json::to_string(self).unwrap_or_default();
        Frame { at, room: self.user_id, loses: Loses::Nobody, bytes: encode(Some(at), "notification", None, &json) }
    }
}
