//! Rebuild of the read tables as a new generation: its contents, the switch to it, and reads and writes during the
//! rebuild.

/// Rebuilds that are killed or refused, and tables of another version.
mod refusals;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use taskfold::databases::{DatabaseRole, role_pool};
use taskfold_projector::dead_letters;
use taskfold_projector::rebuild::{Rebuilt, Stage, Then, back, rebuild};

use crate::harness::{Actor, App, Sse};

/// Rebuilds as `taskfold rebuild` does.
async fn rebuilt(app: &App, then: Then) -> Rebuilt {
    let projector = role_pool(&app.database_url, DatabaseRole::Maintenance, 8).await.unwrap();
    rebuild(&projector, then, &|_, _, _| {}).await.unwrap()
}

/// Creates data in every table.
async fn populate(app: &App) -> (Actor, String) {
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (project, [_, doing, _]) = ada.project("P").await;
    let path = format!("/v1/projects/{project}");
    let label = ada.post(&format!("{path}/labels"), json!({"name": "Loud", "color": "red"})).await.expect(201);
    ada.put(&format!("{path}/members/{}", bea.user_id), json!({"role": "member"})).await.expect(201);
    let team = ada.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    ada.put(&format!("{path}/teams/{team}"), json!({"role": "viewer"})).await.expect(201);
    ada.put(&format!("{path}/teams/{team}"), json!({"role": "member"})).await.expect(200);
    let team_member = format!("/v1/teams/{team}/members/{}", bea.user_id);
    for _ in 0..2 {
        ada.put(&team_member, json!({"role": "member"})).await.expect(201);
        ada.delete(&team_member).await.expect(200);
    }
    let before_anybody_watched = ada.task(&project, "early").await;
    bea.put(&format!("{path}/watch"), json!({})).await.expect(200);
    for i in 0..5 {
        let new =
            json!({"title": format!("here {i}\\n"), "description": "line\n\ttab", "label_ids": [label["created_id"]]});
        let task = ada.post(&format!("{path}/tasks"), new).await.expect(201)["id"].as_str().unwrap().to_owned();
        ada.post(&format!("/v1/tasks/{task}/move"), json!({"column_id": doing})).await.expect(200);
        ada.post(&format!("/v1/tasks/{task}/comments"), json!({"text": "look, @bea"})).await.expect(201);
        let file = ada.request(Method::POST, &format!("/v1/tasks/{task}/attachments?file_name=f")).body("bytes");
        ada.send(file).await.expect(201);
        ada.post(&format!("/v1/tasks/{task}/complete"), json!({})).await.expect(200);
    }
    bea.delete(&format!("{path}/watch")).await.expect(200);
    ada.post(&format!("/v1/tasks/{before_anybody_watched}/start"), json!({})).await.expect(200);
    ada.delete(&format!("/v1/tasks/{before_anybody_watched}")).await.expect(200);
    app.settle().await;
    (ada, project)
}

/// All that the catalog says of the read tables: columns, indexes, constraints, policies, grants, settings, views.
async fn shape(owner: &PgPool) -> BTreeMap<String, String> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "WITH t AS (SELECT c.* FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')) \
         SELECT name, coalesce(text, '') FROM (SELECT 'column ' || relname || '.' || attname AS name, concat_ws(' ', attnum, format_type(atttypid, atttypmod), attnotnull, \
                attgenerated, pg_get_expr(adbin, adrelid)) AS text \
             FROM t JOIN pg_attribute a ON attrelid = t.oid AND attnum > 0 AND NOT attisdropped \
             LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum WHERE relname = ANY (taskfold_generation_tables()) \
         UNION ALL SELECT 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' \
         UNION ALL SELECT 'constraint ' || conname || ' of ' || conrelid::regclass, pg_get_constraintdef(oid) \
             FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
         UNION ALL SELECT 'policy ' || policyname || ' of ' || tablename, concat_ws(' ', permissive, roles, cmd, qual, with_check) \
             FROM pg_policies WHERE schemaname = 'public' \
         UNION ALL SELECT 'trigger ' || tgname || ' of ' || tgrelid::regclass, pg_get_triggerdef(oid) FROM pg_trigger \
         UNION ALL SELECT 'grant on ' || relname, (SELECT string_agg(g::text, ' ' ORDER BY g::text) FROM unnest(relacl) g) FROM t \
         UNION ALL SELECT 'table ' || relname, concat_ws(' ', relowner::regrole, relrowsecurity, reloptions) FROM t \
         UNION ALL SELECT 'view ' || relname, pg_get_viewdef(oid) FROM t WHERE relkind = 'v') AS all_of_it",
    )
    .fetch_all(owner)
    .await
    .unwrap();
    rows.into_iter().collect()
}

#[tokio::test]
async fn a_rebuild_produces_the_same_rows_and_the_same_tables() {
    let app = App::start().await;
    populate(&app).await;
    let before = shape(&app.owner).await;
    assert!(before.len() > 150, "{}", before.len());
    for _ in 0..2 {
        let rebuilt = rebuilt(&app, Then::Switch).await;
        assert_eq!((rebuilt.position, rebuilt.dead_letters), (app.head().await, 0));
        assert_eq!(rebuilt.differences, []);
    }
    let after = shape(&app.owner).await;
    let differs = before.iter().filter(|(name, text)| after.get(*name) != Some(text)).collect::<Vec<_>>();
    assert!(differs.is_empty() && before.len() == after.len(), "{differs:#?}");
    app.finish().await;
}

/// A table that the projector writes and that is in no generation would not be rebuilt.
#[tokio::test]
async fn every_table_of_the_projector_belongs_to_a_generation() {
    let app = App::start().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
           AND has_table_privilege('taskfold_projector', oid, 'UPDATE') AND relname <> 'projector_lease' ORDER BY 1",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    let mut of_generation: Vec<String> =
        sqlx::query_scalar("SELECT unnest(taskfold_generation_tables())").fetch_all(&app.owner).await.unwrap();
    of_generation.sort();
    assert_eq!(tables, of_generation);
    // Each table is folded from events, derived from other tables, or bookkeeping.
    let versions = taskfold_projector::versions::ours();
    of_generation.retain(|table| !["set_aside_events", "projection_checkpoint"].contains(&table.as_str()));
    assert_eq!(of_generation, versions.into_keys().collect::<Vec<_>>());
    app.finish().await;
}

#[tokio::test]
async fn a_rebuild_repairs_differences_that_verify_reports() {
    let app = App::start().await;
    populate(&app).await;
    for statement in [
        "UPDATE tasks SET title = 'X', priority = 'high' WHERE status = 'completed'",
        "DELETE FROM comments",
        "INSERT INTO project_members SELECT project_id, gen_random_uuid(), 'owner', 1 FROM projects",
        "UPDATE column_counts SET tasks = 7",
        "DELETE FROM notifications WHERE kind = 'created'",
        "UPDATE label_documents SET document = 'other'",
    ] {
        let done = sqlx::query(statement).execute(&app.owner).await.unwrap();
        assert!(done.rows_affected() > 0, "{statement}");
    }
    for then in [Then::Compare, Then::Switch] {
        let rebuilt = rebuilt(&app, then).await;
        let found: Vec<(&str, &str, i64)> =
            rebuilt.differences.iter().map(|d| (d.table, d.how.as_str(), d.rows)).collect();
        let expected = [
            ("tasks", "different in priority, title", 5),
            ("project_members", "not in the other generation", 1),
            ("comments", "only in the other generation", 5),
            ("notifications", "only in the other generation", 5),
            ("column_counts", "different in tasks", 1),
            ("label_documents", "different in document", 1),
        ];
        for one in expected {
            assert!(found.contains(&one), "{one:?} in {found:?}");
        }
        assert!(rebuilt.differences.iter().all(|d| !d.example.is_empty()));
    }
    assert_eq!(rebuilt(&app, Then::Compare).await.differences, []);
    app.finish().await;
}

/// Reads the board until `stop` is set. Every response must be successful, and no older than the one before.
async fn read(ada: Actor, project: String, stop: Arc<AtomicBool>) -> usize {
    let (mut last, mut answered) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let answer = ada.get(&format!("/v1/projects/{project}/board")).await;
        let position = answer.position();
        assert!(position >= last, "{position} after {last}");
        last = position;
        answer.expect(200);
        answered += 1;
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_reads_and_streams_continue_during_rebuilds_and_switches() {
    let app = App::start().await;
    let (ada, project) = populate(&app).await;
    let since = app.head().await;
    let path = format!("/v1/projects/{project}/events/stream?since={since}");
    let mut stream = Sse::open(ada.request(Method::GET, &path)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let reading: Vec<_> = (0..3).map(|_| tokio::spawn(read(ada.clone(), project.clone(), Arc::clone(&stop)))).collect();
    let (writer, into, until) = (ada.clone(), project.clone(), Arc::clone(&stop));
    let writing = tokio::spawn(async move {
        let mut last = 0;
        while !until.load(Ordering::Relaxed) {
            let task = writer.task(&into, "more").await;
            let moved = writer.patch(&format!("/v1/tasks/{task}"), json!({"title": "moved"})).await.expect(200);
            last = moved["position"].as_i64().unwrap();
            // A caller reads their own write, whichever generation serves the read.
            let seen = writer.get_at(&format!("/v1/tasks/{task}"), last).await.expect(200);
            assert_eq!(seen["title"], "moved");
        }
        last
    });
    let projector = role_pool(&app.database_url, DatabaseRole::Maintenance, 8).await.unwrap();
    for round in 0..6 {
        let rebuilt = match round % 3 {
            2 => back(&projector, &|_, _, _| {}).await.unwrap(),
            _ => rebuilt(&app, Then::Switch).await,
        };
        assert_eq!(rebuilt.differences, [], "round {round}");
    }
    stop.store(true, Ordering::Relaxed);
    let last = writing.await.unwrap();
    for reader in reading {
        assert!(reader.await.unwrap() > 10);
    }
    assert_eq!(stream.changes_until(last).await, (since + 1..=last).collect::<Vec<_>>());
    app.finish().await;
}

#[tokio::test]
async fn a_rollback_restores_the_previous_generation_with_all_later_events() {
    let app = App::start().await;
    let (ada, project) = populate(&app).await;
    // Differs from the log, to identify the generation.
    sqlx::query("UPDATE projects SET description = 'of before'").execute(&app.owner).await.unwrap();
    rebuilt(&app, Then::Switch).await;
    let path = format!("/v1/projects/{project}");
    assert_eq!(ada.get(&path).await.expect(200)["description"], "");
    let task = ada.task(&project, "since").await;
    app.settle().await;
    let projector = role_pool(&app.database_url, DatabaseRole::Maintenance, 8).await.unwrap();
    let gone_back = back(&projector, &|_, _, _| {}).await.unwrap();
    assert_eq!(gone_back.differences.len(), 1, "{:?}", gone_back.differences);
    assert_eq!(ada.get(&path).await.expect(200)["description"], "of before");
    assert_eq!(ada.get(&format!("/v1/tasks/{task}")).await.expect(200)["title"], "since");
    // And forward again, to the one that matches the log.
    back(&projector, &|_, _, _| {}).await.unwrap();
    app.finish().await;
}

#[tokio::test]
async fn events_that_cannot_be_folded_or_stored_become_the_same_dead_letters() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let (sick, mute) = (ada.task(&project, "sick").await, ada.task(&project, "mute").await);
    for i in 0..3 {
        ada.patch(&format!("/v1/tasks/{sick}"), json!({"title": format!("sick {i}")})).await.expect(200);
        ada.patch(&format!("/v1/tasks/{mute}"), json!({"title": format!("mute {i}")})).await.expect(200);
    }
    app.settle().await;
    // One payload is invalid, the other cannot be stored by PostgreSQL.
    for (task, event, changes) in [
        (&sick, "task.renamed", json!({"title": 7})),
        (&mute, "task.estimated", json!({"estimate_minutes": {"from": null, "to": 4_000_000_000_u32}})),
    ] {
        sqlx::query("UPDATE events SET event_type = $2, payload = $3 WHERE aggregate_id = $1 AND sequence = 3")
            .bind(task)
            .bind(event)
            .bind(json!({"changes": changes}))
            .execute(&app.owner)
            .await
            .unwrap();
    }
    let list_dead_letters = async || -> Vec<(i64, bool)> {
        sqlx::query_as("SELECT position, reason LIKE 'waits%' FROM set_aside_events ORDER BY 1")
            .fetch_all(&app.owner)
            .await
            .unwrap()
    };
    let expected: Vec<(i64, bool)> = sqlx::query_as(
        "SELECT position, sequence > 3 FROM events WHERE aggregate_type = 'task' AND sequence >= 3 ORDER BY 1",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    let stages = std::sync::Mutex::new(BTreeMap::new());
    let projector = role_pool(&app.database_url, DatabaseRole::Maintenance, 8).await.unwrap();
    let progress = |stage: Stage, done: u64, total: u64| {
        stages.lock().unwrap().insert(format!("{stage:?}"), (done, total));
    };
    let rebuilt = rebuild(&projector, Then::Switch, &progress).await.unwrap();
    assert_eq!(rebuilt.dead_letters, 4);
    assert_eq!(list_dead_letters().await, expected);
    for title in ["sick 0", "mute 0"] {
        let found: i64 = sqlx::query_scalar("SELECT count(*) FROM tasks WHERE title = $1")
            .bind(title)
            .fetch_one(&app.owner)
            .await
            .unwrap();
        assert_eq!(found, 1, "{title}: as it was before");
    }
    let stages = stages.into_inner().unwrap();
    assert_eq!(stages.len(), 4, "{stages:?}");
    assert!(stages.values().all(|(done, total)| done == total), "{stages:?}");

    // The cause is repaired, and the dead letters are retried.
    sqlx::query(
        "UPDATE events SET event_type = 'task.renamed', payload = $1 WHERE sequence = 3 AND aggregate_type = 'task'",
    )
    .bind(json!({"changes": {"title": {"from": "", "to": "t"}}}))
    .execute(&app.owner)
    .await
    .unwrap();
    dead_letters::request_retry(&app.owner).await.unwrap();
    crate::harness::eventually("they are retried", || async { list_dead_letters().await.is_empty().then_some(()) })
        .await;
    assert_eq!(rebuild(&projector, Then::Compare, &|_, _, _| {}).await.unwrap().differences, []);
    app.stop().await;
}

#[tokio::test]
async fn events_of_an_unknown_type_become_dead_letters() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    ada.task(&project, "T").await;
    app.settle().await;
    sqlx::query("UPDATE events SET aggregate_type = 'gizmo' WHERE aggregate_type = 'task'")
        .execute(&app.owner)
        .await
        .unwrap();
    let rebuilt = rebuilt(&app, Then::Compare).await;
    assert_eq!(rebuilt.dead_letters, 1);
    let found: Vec<(&str, &str)> = rebuilt.differences.iter().map(|d| (d.table, d.how.as_str())).collect();
    assert!(found.contains(&("tasks", "not in the other generation")), "{found:?}");
    app.stop().await;
}
