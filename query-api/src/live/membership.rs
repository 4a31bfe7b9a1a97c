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

/// Who of some people is no member.
pub struct NoMembers {
    /// Up to where the read tables are.
    pub checkpoint: i64,
    /// Project and person.
    pub pairs: Vec<(Uuid, Uuid)>,
}

/// Those of these pairs of a project and a person who are no members, of their own or through a team.
pub async fn no_members(pool: &PgPool, pairs: &[(Uuid, Uuid)]) -> sqlx::Result<NoMembers> {
    let (projects, users): (Vec<Uuid>, Vec<Uuid>) = pairs.iter().copied().unzip();
    let (checkpoint, projects, users): (i64, Vec<Uuid>, Vec<Uuid>) = sqlx::query_as(
        "WITH gone AS (SELECT a.project_id, a.user_id FROM unnest($1::uuid[], $2::uuid[]) AS a (project_id, user_id) \
                       WHERE NOT EXISTS (SELECT FROM project_roles r \
                                         WHERE r.project_id = a.project_id AND r.user_id = a.user_id)) \
         SELECT c.position, ARRAY(SELECT project_id FROM gone ORDER BY project_id, user_id), \
                ARRAY(SELECT user_id FROM gone ORDER BY project_id, user_id) FROM projection_checkpoint c",
    )
    .bind(projects)
    .bind(users)
    .fetch_one(pool)
    .await?;
    Ok(NoMembers { checkpoint, pairs: projects.into_iter().zip(users).collect() })
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
