//! The reads that are measured, as HTTP requests and as SQL.

use super::fill::Filled;

/// A read, as an HTTP request and as SQL.
pub struct Query {
    pub name: &'static str,
    pub path: Box<dyn Fn(usize) -> String>,
    /// Script for pgbench.
    pub sql: String,
}

/// The columns of a card, as the query-api reads them.
pub const CARD: &str = "task_id, project_id, title, status, column_id, rank, priority, assignee_ids, label_ids, start_at, due_at, \
    estimate_minutes, parent_id, archived, deleted, deleted_at, deleted_by, elapsed_ms, running_since, progress, reason, \
    comment_count, created_at, created_by, updated_at, version, dependency_ids, due_stage, checklists, \
    dependency_ids <> '{}' AND EXISTS (SELECT FROM tasks b WHERE b.task_id = ANY (tasks.dependency_ids) \
        AND b.status NOT IN ('completed', 'cancelled') AND NOT b.deleted) AS blocked, \
    (SELECT count(*) FROM tasks s WHERE s.parent_id = tasks.task_id AND NOT s.deleted) AS subtask_total, \
    (SELECT count(*) FROM tasks s WHERE s.parent_id = tasks.task_id AND NOT s.deleted \
        AND s.status = 'completed') AS subtask_done, \
    (SELECT taskfold_user()) = ANY (watcher_ids) AS watching";

/// Adds the statements of the query-api around the read: a transaction, the user, the checkpoint and generation of the
/// read tables, and the membership if the read is of a project.
pub fn as_read(user: &str, project: Option<&str>, sql: &str) -> String {
    let membership =
        project.map(|project| format!("SELECT * FROM taskfold_membership('{project}', NULL, 1000000000);\n"));
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n\
         SELECT position, generation FROM projection_checkpoint, set_config('taskfold.user_id', '{user}', true) AS u;\n\
         {}{sql};\nROLLBACK;\n",
        membership.unwrap_or_default()
    )
}

pub fn queries(filled: &Filled) -> Vec<Query> {
    let (user, project) = (filled.user.to_string(), filled.project.to_string());
    let words = filled.words.clone();
    let read = |name, path: Box<dyn Fn(usize) -> String>, of: Option<&str>, before: &str, sql: String| Query {
        name,
        path,
        sql: format!("{before}{}", as_read(&user, of, &sql)),
    };
    let query = |name, path, before: &str, sql| read(name, path, None, before, sql);
    let of_project = |name, path: String, sql| read(name, Box::new(move |_| path.clone()), Some(&project), "", sql);
    let search = |words: &str| {
        format!(
            "SELECT t.title, f.rank, ts_headline('simple', t.title, f.terms, 'HighlightAll=true'), \
                 ts_headline('simple', left(coalesce(c.text, t.description), 10000), f.terms, 'MaxWords=30, MinWords=10') \
             FROM taskfold_search({words}, NULL, true, true, false, 'infinity', 'infinity', \
                     'ffffffff-ffff-ffff-ffff-ffffffffffff', 21) f \
             JOIN tasks t ON t.task_id = f.task_id LEFT JOIN comments c ON c.task_id = f.task_id AND c.comment_id = f.comment_id \
             ORDER BY f.rank DESC, f.created_at DESC, coalesce(f.comment_id, f.task_id) DESC LIMIT 21"
        )
    };
    vec![
        of_project(
            "board, 20 cards of 30 columns",
            format!("/v1/projects/{project}/board?column_limit=20"),
            format!(
                "SELECT {CARD} FROM unnest(ARRAY(SELECT (c ->> 'id')::uuid FROM projects, jsonb_array_elements(columns) AS c \
                     WHERE project_id = '{project}')) WITH ORDINALITY AS of (id, ordinal) CROSS JOIN LATERAL ( \
                     SELECT * FROM tasks t WHERE t.project_id = '{project}' AND t.column_id = of.id AND NOT t.archived \
                     AND NOT t.deleted ORDER BY t.rank, t.task_id LIMIT 21) AS tasks ORDER BY ordinal, rank, task_id"
            ),
        ),
        of_project(
            "list, 50 by due time",
            format!("/v1/projects/{project}/tasks?sort=due_at"),
            format!(
                "SELECT {CARD}, description FROM tasks WHERE project_id = '{project}' AND NOT archived AND NOT deleted \
                 ORDER BY CASE WHEN due_at IS NULL THEN 'infinity' ELSE due_at END, task_id LIMIT 51"
            ),
        ),
        query(
            "search, one word",
            Box::new(move |n| format!("/v1/search?limit=20&q={}", words[n % words.len()])),
            &format!("\\set n random(1, {})\n", filled.words.len()),
            search(&format!("ARRAY[(ARRAY['{}'])[:n]]", filled.words.join("','"))),
        ),
        query(
            "search, one letter",
            Box::new(|n| format!("/v1/search?limit=20&q={:x}", n % 16)),
            "\\set n random(0, 15)\n",
            search("ARRAY[to_hex(:n::integer)]"),
        ),
        query(
            "notifications, 50",
            Box::new(|_| "/v1/me/notifications".to_owned()),
            "",
            "SELECT n.*, t.title FROM notifications n \
             LEFT JOIN notification_settings s ON s.user_id = n.user_id \
             LEFT JOIN notification_reads r ON r.user_id = n.user_id AND r.notification_id = n.notification_id \
             LEFT JOIN tasks t ON t.task_id = n.task_id \
             WHERE n.user_id = (SELECT taskfold_user()) AND n.kind <> ALL (coalesce(s.muted, '{}')) ORDER BY n.position DESC LIMIT 51;\n\
             SELECT count(*) FROM (SELECT FROM notifications n LEFT JOIN notification_settings s ON s.user_id = n.user_id \
             WHERE n.user_id = (SELECT taskfold_user()) AND n.position > coalesce(s.read_up_to, 0) \
               AND n.kind <> ALL (coalesce(s.muted, '{}')) AND NOT EXISTS (SELECT FROM notification_reads r \
                   WHERE r.user_id = n.user_id AND r.notification_id = n.notification_id) LIMIT 1000) AS unread"
                .to_owned(),
        ),
    ]
}
