//! Fills a large database for the read measurements.

use sqlx::PgPool;
use uuid::Uuid;

/// The large database: its rows are written without the log, as the projector would have written them.
pub struct Filled {
    pub user: Uuid,
    /// Project with 30 columns of 5,000 tasks each.
    pub project: Uuid,
    pub tasks: i64,
    pub projects: i64,
    pub in_one: i64,
    /// Some words that occur in titles, the frequent ones more often.
    pub words: Vec<String>,
}

/// Generates words of realistic lengths, some of them far more frequent than others.
const WORDS: &str = "CREATE FUNCTION bench_words(n integer, seed integer) RETURNS text LANGUAGE sql VOLATILE AS $$ \
    SELECT string_agg(substr(md5(floor(power(random(), 3) * 20000)::text), 1, 3 + floor(random() * 6)::integer), ' ') \
    FROM generate_series(1, n) WHERE seed IS NOT NULL $$";

/// $1: user; $2: the large project.
const ROWS: &[&str] = &[
    "INSERT INTO projects (project_id, name, description, columns, labels, archived, created_at, created_by, updated_at, version, \
         position) \
     SELECT CASE n WHEN 0 THEN $2 ELSE gen_random_uuid() END, 'Project ' || n, '', \
         (SELECT jsonb_agg(jsonb_build_object('id', gen_random_uuid(), 'name', 'Column ' || c, 'category', 'todo', \
             'wip_limit', null, 'wip_policy', 'advisory', 'rank', 'a' || lpad(c::text, 3, '0') || 'V', 'archived', false)) \
          FROM generate_series(1, CASE n WHEN 0 THEN 30 ELSE 3 END) c), \
         jsonb_build_array(jsonb_build_object('id', gen_random_uuid(), 'name', 'bug', 'color', 'red')), \
         false, now(), $1, now(), 1, 0 FROM generate_series(0, 2000) n",
    "INSERT INTO project_members SELECT project_id, $1, 'owner', 0 FROM projects \
     WHERE project_id = $2 OR name LIKE 'Project %00'",
    "INSERT INTO tasks (task_id, project_id, title, description, status, elapsed_ms, column_id, rank, priority, assignee_ids, \
         label_ids, due_at, archived, deleted, checklists, comment_count, created_at, created_by, updated_at, version, position) \
     SELECT gen_random_uuid(), p.project_id, bench_words(5, n), CASE n % 3 WHEN 0 THEN bench_words(40, n) ELSE '' END, 'todo', 0, \
         (p.columns -> (n % jsonb_array_length(p.columns)) ->> 'id')::uuid, lpad(n::text, 7, '0'), 'none', \
         CASE n % 50 WHEN 0 THEN ARRAY[$1] ELSE '{}' END, \
         CASE n % 4 WHEN 0 THEN ARRAY[(p.labels -> 0 ->> 'id')::uuid] ELSE '{}' END, \
         CASE n % 2 WHEN 0 THEN now() + (n % 700 - 350) * interval '1 hour' END, false, false, '[]', 0, \
         now() - n * interval '1 minute', $1, now() - (n::bigint * 7919 % 500000) * interval '1 minute', 1, 0 \
     FROM projects p CROSS JOIN LATERAL generate_series(1, CASE WHEN p.project_id = $2 THEN 150000 ELSE 100 END) n \
     WHERE p.name LIKE 'Project %' ORDER BY n",
    "INSERT INTO comments (task_id, comment_id, project_id, author_id, text, mentions, created_at, position) \
     SELECT task_id, gen_random_uuid(), project_id, $1, bench_words(12, version::integer), '{}', now(), \
         row_number() OVER () FROM tasks WHERE $2 IS NOT NULL AND random() < 0.5",
    "INSERT INTO notifications (notification_id, user_id, position, kind, project_id, task_id, actor_id, occurred_at) \
     SELECT gen_random_uuid(), $1, row_number() OVER (), 'commented', project_id, task_id, gen_random_uuid(), now() \
     FROM tasks WHERE project_id = $2 LIMIT 10000",
];

pub async fn fill(pool: &PgPool, user: Uuid) -> anyhow::Result<Filled> {
    sqlx::query(WORDS).execute(pool).await?;
    let project = Uuid::from_u128(user.as_u128() ^ 1);
    for rows in ROWS {
        sqlx::query(&rows.replace("$1", "$1::uuid").replace("$2", "$2::uuid"))
            .bind(user)
            .bind(project)
            .execute(pool)
            .await?;
    }
    taskfold_projector::derived::write_all(pool).await?;
    sqlx::query("VACUUM ANALYZE").execute(pool).await?;
    let (tasks, projects, in_one) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM tasks), (SELECT count(*) FROM projects), \
                (SELECT count(*) FROM tasks WHERE project_id = $1)",
    )
    .bind(project)
    .fetch_one(pool)
    .await?;
    let words = sqlx::query_scalar("SELECT split_part(title, ' ', 1) FROM tasks ORDER BY random() LIMIT 500")
        .fetch_all(pool)
        .await?;
    Ok(Filled { user, project, tasks, projects, in_one, words })
}
