//! Revocations: at which event a user lost access to a project, computed from the intervals of memberships.

use sqlx::PgPool;
use uuid::Uuid;

use super::frame::{ChannelId, Frame, FrameKind};

/// Loss of access to a project by the event at `position`: the user has no other way into the project from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    pub position: i64,
    pub project: Uuid,
    pub user: Uuid,
}

/// Change of access that concerns more than the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessChange {
    Revoked(Revocation),
    /// An event at this position cannot be read, and may have ended anybody's access.
    Unknown {
        position: i64,
    },
}

impl AccessChange {
    /// Change that the frame stands for, if it stands for any.
    pub fn of(frame: &Frame) -> Option<Self> {
        let position = frame.at.position();
        match (frame.kind, frame.channel) {
            (FrameKind::Revokes(project), ChannelId::Person(user)) => {
                Some(Self::Revoked(Revocation { position, project, user }))
            }
            (FrameKind::Reauthorizes, _) => Some(Self::Unknown { position }),
            (FrameKind::Revokes(_), ChannelId::Project(_) | ChannelId::Team(_))
            | (FrameKind::Plain | FrameKind::EndsAccess | FrameKind::CopyOf(_), _) => None,
        }
    }
}

/// Selects the intervals that have `ended` and are not covered by another interval of the same user. `OFFSET 0` makes
/// PostgreSQL look up the access of each row by index, and not that of all users.
macro_rules! revocations {
    ($ended:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            Revocation,
            "WITH ended AS (" + $ended + r#")
            SELECT DISTINCT e.position AS "position!", e.project_id AS "project!", e.user_id AS "user!"
            FROM ended e
            WHERE NOT EXISTS (SELECT FROM project_access a WHERE a.project_id = e.project_id AND a.user_id = e.user_id
                AND a.from_position <= e.position AND (a.to_position IS NULL OR a.to_position > e.position) OFFSET 0)
            ORDER BY e.position
            "#,
            $($argument),*
        )
    };
}

/// Revocations of all users by the events at these positions.
pub async fn at(pool: &PgPool, positions: &[i64]) -> sqlx::Result<Vec<Revocation>> {
    // Starts from the ended intervals, which have indexes on their ends.
    revocations!(
        r#"
            SELECT to_position AS position, project_id, user_id FROM past_project_members WHERE to_position = ANY ($1)
            UNION ALL
            SELECT m.to_position, g.project_id, m.user_id
            FROM past_team_members m JOIN project_team_grants g USING (team_id)
            WHERE m.to_position = ANY ($1)
              AND g.from_position < m.to_position AND (g.to_position IS NULL OR g.to_position > m.to_position)
            UNION ALL
            SELECT g.to_position, g.project_id, m.user_id
            FROM past_project_teams g JOIN team_memberships m USING (team_id)
            WHERE g.to_position = ANY ($1)
              AND m.from_position < g.to_position AND (m.to_position IS NULL OR m.to_position > g.to_position)
        "#,
        positions
    )
    .fetch_all(pool)
    .await
}

/// Revocations of one user in these projects, after `after` and up to `upto`.
pub async fn of_user(
    pool: &PgPool,
    user: Uuid,
    projects: &[Uuid],
    after: i64,
    upto: i64,
) -> sqlx::Result<Vec<Revocation>> {
    revocations!(
        r#"
            SELECT to_position AS position, project_id, user_id FROM project_access
            WHERE user_id = $3 AND project_id = ANY ($4) AND to_position > $1 AND to_position <= $2
        "#,
        after,
        upto,
        user,
        projects
    )
    .fetch_all(pool)
    .await
}
