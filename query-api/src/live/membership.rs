//! Who may follow which project, as the read tables have it: of their own, and through teams.

use sqlx::PgPool;
use uuid::Uuid;

/// What is known of somebody and some projects at one moment.
pub struct Memberships {
    /// Up to where the read tables are.
    pub checkpoint: i64,
    /// Where the log ends.
    pub head: i64,
    /// The projects among those asked for that they may see, and whether (also) through a team.
    pub visible: Vec<(Uuid, bool)>,
}

pub async fn memberships(pool: &PgPool, projects: &[Uuid], user: Uuid) -> sqlx::Result<Memberships> {
    let (checkpoint, head, ids, teams): (i64, i64, Vec<Uuid>, Vec<bool>) = sqlx::query_as(
        "WITH theirs AS (SELECT project_id, bool_or(team_id IS NOT NULL) AS team FROM project_roles \
                         WHERE user_id = $2 AND project_id = ANY ($1) GROUP BY project_id) \
         SELECT c.position, h.position, ARRAY(SELECT project_id FROM theirs ORDER BY project_id), \
                ARRAY(SELECT team FROM theirs ORDER BY project_id) \
         FROM projection_checkpoint c, log_head h",
    )
    .bind(projects)
    .bind(user)
    .fetch_one(pool)
    .await?;
    Ok(Memberships { checkpoint, head, visible: ids.into_iter().zip(teams).collect() })
}

/// Where the user was last removed from the project, if that was behind `from` and is known to the read tables.
pub async fn removed_at(pool: &PgPool, project: Uuid, user: Uuid, from: i64) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "SELECT max(e.position) FROM events e, projection_checkpoint c \
         WHERE e.project_id = $1 AND e.position > $3 AND e.position <= c.position \
           AND e.event_type = 'project.member_removed' \
           AND e.payload #>> '{changes,member,from,user_id}' = $2::text",
    )
    .bind(project)
    .bind(user)
    .bind(from)
    .fetch_one(pool)
    .await
}
