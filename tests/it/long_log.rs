//! Reads of a long log must not read the events of other people.

use serde_json::json;
use sqlx::PgPool;

use crate::harness::{Actor, App, eventually};

/// Number of events of other people before anything that is read.
const OTHERS: i64 = 4_000;

/// Inserts events and notifications as if many tasks like this one had been created, and other people had been notified
/// of them and had left their teams.
async fn lengthen(app: &App, task: &str) {
    let statements = [
        "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, words, salts, project_id, \
             actor_id, command_id, occurred_at, recorded_at) \
         SELECT h.position + other.n, e.aggregate_type, other.id, 1, e.event_type, e.event_version, \
             replace(e.payload::text, e.aggregate_id, other.id)::json, e.words, e.salts, e.project_id, e.actor_id, gen_random_uuid(), e.occurred_at, \
             h.recorded_at \
         FROM log_head h, events e, LATERAL (SELECT n, gen_random_uuid()::text AS id FROM generate_series(1, $2) n) AS other \
         WHERE e.aggregate_id = $1 AND e.sequence = 1",
        "INSERT INTO notifications (notification_id, user_id, position, kind, project_id, task_id, actor_id, occurred_at) \
         SELECT gen_random_uuid(), gen_random_uuid(), h.position + n, 'commented', gen_random_uuid(), $1::uuid, gen_random_uuid(), now() \
         FROM log_head h, generate_series(1, $2) n",
        "INSERT INTO channel_events (position, team_id) \
         SELECT h.position + n, gen_random_uuid() FROM log_head h, generate_series(1, $2) n WHERE $1 <> ''",
        "INSERT INTO past_team_members (team_id, user_id, role, from_position, to_position) \
         SELECT gen_random_uuid(), gen_random_uuid(), 'member', h.position, h.position + n \
         FROM log_head h, generate_series(1, $2) n WHERE $1 <> ''",
        "UPDATE log_head SET position = position + $2 WHERE $1 <> ''",
    ];
    let (before, _) = entries(&app.owner).await;
    let mut tx = app.owner.begin().await.unwrap();
    for statement in statements {
        sqlx::query(statement).bind(task).bind(OTHERS).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    app.settle().await;
    // Entries read by the projector must not be counted with those of a later read.
    eventually("projected events are counted", || async {
        (entries(&app.owner).await.0 >= before + OTHERS).then_some(())
    })
    .await;
}

/// Index entries read from the log and the notification tables since the creation of the database, and the number of
/// index scans.
async fn entries(owner: &PgPool) -> (i64, i64) {
    sqlx::query_as(
        "SELECT sum(idx_tup_read)::bigint, sum(idx_scan)::bigint FROM pg_stat_user_indexes \
         WHERE relname IN ('events', 'notifications', 'channel_events', 'past_team_members')",
    )
    .fetch_one(owner)
    .await
    .unwrap()
}

/// Index entries read by a read that is repeated until PostgreSQL uses its generic plan.
async fn entries_read(app: &App, read: impl AsyncFn()) -> i64 {
    let (before, used_before) = entries(&app.owner).await;
    for _ in 0..8 {
        read().await;
    }
    // Connections report their statistics after having been idle for a while.
    eventually("reads are counted", || async {
        let (entries, used) = entries(&app.owner).await;
        (used >= used_before + 8).then_some(entries - before)
    })
    .await
}

/// Reads all events that are new to Bea since the beginning, up to `last`, by this path.
async fn read_on(bea: &Actor, path: &str, last: i64) {
    if path.contains("stream") {
        bea.stream(path).await.changes_until(last).await;
    } else {
        let page = bea.get(path).await.expect(200);
        assert_eq!(page["events"].as_array().unwrap().last().unwrap()["position"].as_i64(), Some(last));
    }
}

/// Checked by PostgreSQL's statistics. A generic plan does not know how far behind the reader is, and may scan the log
/// of all users from there: so each path is read often enough to get that plan.
#[tokio::test]
async fn catching_up_reads_only_events_of_the_subscribed_channels() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (of_ada, _) = ada.project("of Ada").await;
    let task = ada.task(&of_ada, "the one that others are like").await;
    app.settle().await;
    lengthen(&app, &task).await;
    sqlx::query("VACUUM ANALYZE").execute(&app.owner).await.unwrap();
    let team = bea.post("/v1/teams", json!({"name": "T"})).await.expect(201);
    let (team, in_team) = (team["id"].as_str().unwrap().to_owned(), team["position"].as_i64().unwrap());
    let (project, _) = bea.project("of Bea").await;
    bea.put(&format!("/v1/projects/{project}/teams/{team}"), json!({"role": "viewer"})).await.expect(201);
    bea.task(&project, "T").await;
    app.settle().await;
    let last = app.head().await;
    for (path, last) in [
        (format!("/v1/projects/{project}/events?since=0"), last),
        (format!("/v1/projects/{project}/events/stream?since=0"), last),
        (format!("/v1/stream?me=true&projects={project}&since=0"), last),
        (format!("/v1/teams/{team}/events?since=0"), in_team),
    ] {
        let entries_read = entries_read(&app, async || read_on(&bea, &path, last).await).await;
        assert!(entries_read < OTHERS, "{path} read {entries_read} entries");
    }
    app.stop().await;
}

/// Each read begins with the position of the project's last event, which may be far back: with few projects, planners
/// would search for it backwards from the end of the log.
#[tokio::test]
async fn reading_a_quiet_project_skips_later_events_of_others() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (quiet, _) = bea.project("of Bea").await;
    let (of_ada, _) = ada.project("of Ada").await;
    let task = ada.task(&of_ada, "the one that others are like").await;
    app.settle().await;
    lengthen(&app, &task).await;
    sqlx::query("ANALYZE").execute(&app.owner).await.unwrap();
    let entries_read =
        entries_read(&app, async || drop(bea.get(&format!("/v1/projects/{quiet}")).await.expect(200))).await;
    assert!(entries_read < OTHERS, "read {entries_read} entries");
    app.stop().await;
}
