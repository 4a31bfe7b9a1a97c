//! Board windows, lists, filters and a person's own tasks, and the query plans of all reads.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use sqlx::PgPool;
use taskfold_projector::derived;

use crate::harness::{Actor, App, eventually};

fn ids(items: &Value) -> Vec<String> {
    items.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_windows_of_a_board_have_no_gaps_or_overlaps() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, [todo, doing, done]) = ada.project("P").await;
    let columns = format!("/v1/projects/{project}/columns");
    ada.patch(&format!("{columns}/{todo}"), json!({"wip_limit": 6})).await.expect(200);
    let mut tasks = Vec::new();
    for i in 0..7 {
        tasks.push(ada.task(&project, &format!("{i}")).await);
    }
    ada.post(&format!("/v1/tasks/{}/move", tasks[6]), json!({"column_id": doing})).await.expect(200);
    let extra = ada.task(&project, "extra").await;
    app.settle().await;
    let board = format!("/v1/projects/{project}/board");
    let whole = ada.get(&board).await.expect(200);
    let first = ada.get(&format!("{board}?column_limit=3")).await.expect(200);
    let counts = |board: &Value| -> Vec<Value> {
        board["columns"].as_array().unwrap().iter().map(|c| c["task_count"].clone()).collect()
    };
    assert_eq!(
        (counts(&whole), counts(&first)),
        (vec![json!(7), json!(1), json!(0)], vec![json!(7), json!(1), json!(0)])
    );
    assert_eq!(
        (&whole["columns"][0]["next_cursor"], &first["columns"][1]["next_cursor"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!((&first["columns"][0]["over_limit"], &first["columns"][1]["over_limit"]), (&json!(true), &json!(false)));

    let mut seen = ids(&first["columns"][0]["tasks"]);
    let mut cursor = first["columns"][0]["next_cursor"].as_str().map(str::to_owned);
    while let Some(at) = cursor {
        let next = ada.get(&format!("{board}?column_limit=2&cursor={at}")).await.expect(200);
        assert_eq!((next["columns"].as_array().unwrap().len(), &next["columns"][0]["id"]), (1, &json!(todo)));
        seen.extend(ids(&next["columns"][0]["tasks"]));
        cursor = next["columns"][0]["next_cursor"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, ids(&whole["columns"][0]["tasks"]));
    ada.get(&format!("{board}?cursor=x")).await.problem(422, "validation-failed");

    // Counts follow tasks that leave the board and return.
    for (path, count) in [("archive", 6), ("unarchive", 7)] {
        ada.post(&format!("/v1/tasks/{extra}/{path}"), json!({})).await.expect(200);
        app.settle().await;
        let board = ada.get(&format!("{board}?column_limit=1")).await.expect(200);
        assert_eq!(
            (&board["columns"][0]["task_count"], &board["columns"][0]["over_limit"]),
            (&json!(count), &json!(count > 6))
        );
    }
    ada.delete(&format!("/v1/tasks/{extra}")).await.expect(200);
    app.settle().await;
    assert_eq!(ada.get(&board).await.expect(200)["columns"][0]["task_count"], 6);
    assert_eq!(whole["columns"][2]["id"], json!(done));
    app.finish().await;
}

#[tokio::test]
async fn lists_are_filtered_by_links_and_by_relation_to_the_caller() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let (whole, waits, first) =
        (ada.task(&project, "whole").await, ada.task(&project, "waits").await, ada.task(&project, "first").await);
    let part = json!({"title": "part", "parent_id": whole, "priority": "urgent", "assignee_ids": [ada.user_id]});
    ada.post(&format!("/v1/projects/{project}/tasks"), part).await.expect(201);
    ada.put(&format!("/v1/tasks/{waits}/dependencies/{first}"), Value::Null).await.expect(200);
    ada.post(&format!("/v1/tasks/{first}/start"), json!({})).await.expect(200);
    app.settle().await;
    let titles = async |query: &str| -> Vec<String> {
        let list = ada.get(&format!("/v1/projects/{project}/tasks?sort=title&{query}")).await.expect(200);
        list["items"].as_array().unwrap().iter().map(|t| t["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(titles(&format!("parent_id={whole}")).await, ["part"]);
    assert_eq!(titles("blocked=true").await, ["waits"]);
    assert_eq!(titles("blocked=false").await, ["first", "part", "whole"]);
    assert_eq!(titles("unassigned=true").await, ["first", "waits", "whole"]);
    assert_eq!(titles("unassigned=false").await, ["part"]);
    assert_eq!(titles("status=todo,running").await.len(), 4);
    assert_eq!(titles("status=running,completed").await, ["first"]);
    assert_eq!(titles("priority=urgent,high&status=todo").await, ["part"]);
    assert_eq!(titles("due_stage=overdue").await.len(), 0);
    // The creator of a task watches it, until they unsubscribe.
    assert_eq!(titles("watching=true").await, ["first", "part", "waits", "whole"]);
    let unwatched = ada.delete(&format!("/v1/tasks/{whole}/watch")).await.expect(200);
    let label = json!({"name": "bug", "color": "red"});
    let label = ada.post(&format!("/v1/projects/{project}/labels"), label).await.expect(201)["created_id"].clone();
    let label = label.as_str().unwrap();
    ada.put(&format!("/v1/tasks/{waits}/labels/{label}"), Value::Null).await.expect(200);
    let last = ada.put(&format!("/v1/tasks/{first}/labels/{label}"), Value::Null).await.expect(200);
    app.settle().await;
    assert_eq!(titles("watching=true").await, ["first", "part", "waits"]);
    assert_eq!(titles("watching=false").await, ["whole"]);
    assert_eq!(titles(&format!("label_id={label}")).await, ["first", "waits"]);
    assert_eq!(titles(&format!("label_id={label}&status=running")).await, ["first"]);
    assert_eq!(titles(&format!("assignee_id={}", ada.user_id)).await, ["part"]);
    assert_eq!(titles(&format!("assignee_id={project}")).await.len(), 0);
    let since = |change: &Value| format!("updated_since={}", change["events"][0]["recorded_at"].as_str().unwrap());
    assert_eq!(titles(&since(&last)).await, ["first"]);
    assert_eq!(titles(&since(&unwatched)).await, ["first", "waits", "whole"]);
    ada.get(&format!("/v1/projects/{project}/tasks?status=todo,hot")).await.problem(422, "validation-failed");
    app.finish().await;
}

#[tokio::test]
async fn my_tasks_are_those_of_all_projects_of_the_caller() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let mut made = Vec::new();
    for (name, due) in [("One", "2020-01-01T00:00:00Z"), ("Two", "2099-01-01T00:00:00Z")] {
        let (project, _) = ada.project(name).await;
        ada.put(&format!("/v1/projects/{project}/members/{}", bea.user_id), json!({"role": "member"}))
            .await
            .expect(201);
        for due in [json!(due), Value::Null] {
            let new = json!({"title": name, "due_at": due, "assignee_ids": [bea.user_id]});
            let body = ada.post(&format!("/v1/projects/{project}/tasks"), new).await.expect(201);
            made.push((project.clone(), body["id"].as_str().unwrap().to_owned()));
        }
        ada.task(&project, "not Bea's").await;
    }
    ada.put(&format!("/v1/tasks/{}/dependencies/{}", made[1].1, made[0].1), Value::Null).await.expect(200);
    app.settle().await;
    let mine = async |query: &str| ids(&bea.get(&format!("/v1/me/tasks{query}")).await.expect(200)["items"]);
    // Tasks without a due time come last, by id.
    let all = vec![made[0].1.clone(), made[2].1.clone(), made[1].1.clone(), made[3].1.clone()];
    assert_eq!(mine("").await, all);
    assert_eq!(mine("?view=overdue").await, [made[0].1.clone()]);
    assert_eq!(mine("?view=due_soon").await.len(), 0);
    assert_eq!(mine("?view=blocked").await, [made[1].1.clone()]);
    assert_eq!(mine("?due_before=2050-01-01T00:00:00Z").await, [made[0].1.clone()]);
    let (mut seen, mut next) = (Vec::new(), "/v1/me/tasks?limit=1".to_owned());
    loop {
        let page = bea.get(&next).await.expect(200);
        seen.extend(ids(&page["items"]));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("/v1/me/tasks?limit=1&cursor={cursor}");
    }
    assert_eq!(seen, all);
    ada.post(&format!("/v1/tasks/{}/complete", made[0].1), json!({})).await.expect(200);
    ada.delete(&format!("/v1/projects/{}/members/{}", made[2].0, bea.user_id)).await.expect(200);
    app.settle().await;
    assert_eq!(mine("").await, [made[1].1.clone()]);
    assert_eq!(mine("?view=all").await, [made[0].1.clone(), made[1].1.clone()]);
    assert_eq!(mine("?view=blocked").await.len(), 0);
    assert_eq!(ids(&ada.get("/v1/me/tasks").await.expect(200)["items"]).len(), 0);
    app.finish().await;
}

#[tokio::test]
async fn personal_filters_are_private_and_need_a_membership() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let new = json!({"project_id": project, "name": "Mine", "query": "status=todo"});
    bea.post("/v1/me/filters", new.clone()).await.problem(404, "not-found");
    let filter = ada.post("/v1/me/filters", new.clone()).await.expect(201);
    let id = filter["id"].as_str().unwrap();
    let twice = json!({"id": id, "project_id": project, "name": "Again", "query": ""});
    ada.post("/v1/me/filters", twice).await.problem(409, "already-exists");
    let path = format!("/v1/me/filters/{id}");
    let edited = ada.patch(&path, json!({"name": "Ours"})).await.expect(200);
    assert_eq!((&edited["name"], &edited["query"]), (&json!("Ours"), &json!("status=todo")));
    bea.patch(&path, json!({"name": "Hers"})).await.problem(404, "not-found");
    bea.delete(&path).await.problem(404, "not-found");
    let listed = ada.get(&format!("/v1/me/filters?project_id={project}")).await.expect(200);
    assert_eq!(listed["items"], json!([edited]));
    assert_eq!(bea.get("/v1/me/filters").await.expect(200)["items"], json!([]));
    ada.delete(&path).await.expect(204);
    ada.delete(&path).await.problem(404, "not-found");
    for i in 0..200 {
        let new = json!({"project_id": project, "name": format!("{i}"), "query": ""});
        ada.post("/v1/me/filters", new).await.expect(201);
    }
    ada.post("/v1/me/filters", new).await.problem(422, "validation-failed");
    app.finish().await;
}

/// Inserts 20,000 tasks in one project and as many in 200 others, directly into the tables.
async fn fill(owner: &PgPool, ada: &Actor, project: &str, column: &str) {
    let statements = [
        "INSERT INTO projects (project_id, name, description, columns, labels, archived, created_at, created_by, updated_at, \
             version, position) \
         SELECT gen_random_uuid(), 'P' || n, '', '[]', '[]', false, now(), $1::uuid, now(), 1, 0 \
         FROM generate_series(1, 200) n WHERE $2::uuid IS NOT NULL AND $3::uuid IS NOT NULL",
        "INSERT INTO project_members SELECT project_id, $1::uuid, 'owner', 0 FROM projects \
         WHERE project_id <> $2 AND $3::uuid IS NOT NULL AND name < 'P15'",
        "INSERT INTO tasks (task_id, project_id, title, description, status, elapsed_ms, column_id, rank, priority, \
             assignee_ids, label_ids, due_at, archived, deleted, checklists, comment_count, created_at, created_by, updated_at, \
             version, position) \
         SELECT gen_random_uuid(), p, 'word' || n % 500 || ' common', '', 'todo', 0, $3, lpad(n::text, 7, '0'), 'none', \
             CASE WHEN n % 200 = 0 THEN ARRAY[$1::uuid] ELSE '{}' END, '{}', \
             CASE WHEN n % 2 = 0 THEN now() + n * interval '1 minute' END, false, false, '[]', 0, \
             now() - n * interval '1 minute', $1, now() - (n * 7919 % 20000) * interval '1 minute', 1, 0 \
         FROM (SELECT $2::uuid AS p, n FROM generate_series(1, 20000) n UNION ALL \
               SELECT project_id, n FROM projects, generate_series(1, 100) n WHERE project_id <> $2) AS of_projects",
        // Before the log, where no projector reads them.
        "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, project_id, \
             actor_id, command_id, occurred_at, recorded_at) \
         SELECT -row_number() OVER (), 'task', task_id::text || '?', 1, 'task.created', '1', '{}', project_id, $1::uuid, task_id, now(), \
             now() FROM tasks WHERE $2::uuid IS NOT NULL AND $3::uuid IS NOT NULL",
        "INSERT INTO comments (task_id, comment_id, project_id, author_id, text, mentions, created_at, position) \
         SELECT task_id, gen_random_uuid(), project_id, $1::uuid, title, '{}', now(), row_number() OVER () FROM tasks \
         WHERE $2::uuid IS NOT NULL AND $3::uuid IS NOT NULL",
        "INSERT INTO notifications (notification_id, user_id, position, kind, project_id, task_id, actor_id, occurred_at) \
         SELECT gen_random_uuid(), CASE WHEN row_number() OVER () % 40 = 0 THEN $1::uuid ELSE gen_random_uuid() END, \
             row_number() OVER (), 'commented', project_id, task_id, gen_random_uuid(), now() FROM tasks \
         WHERE $2::uuid IS NOT NULL AND $3::uuid IS NOT NULL",
        "INSERT INTO notification_reads SELECT user_id, notification_id FROM notifications \
         WHERE $1::uuid IS NOT NULL AND position % 3 = 0 AND $2::uuid IS NOT NULL AND $3::uuid IS NOT NULL",
    ];
    for statement in statements {
        sqlx::query(statement)
            .bind(uuid::Uuid::parse_str(&ada.user_id).unwrap())
            .bind(uuid::Uuid::parse_str(project).unwrap())
            .bind(uuid::Uuid::parse_str(column).unwrap())
            .execute(owner)
            .await
            .unwrap();
    }
    // And the rows that the projector derives from them.
    sqlx::query("TRUNCATE task_documents, column_counts, label_documents").execute(owner).await.unwrap();
    derived::write_all(owner).await.unwrap();
    sqlx::query("VACUUM ANALYZE").execute(owner).await.unwrap();
}

/// Number of sequential scans of each table, and of all index scans, since the creation of the database.
async fn scans(owner: &PgPool) -> (HashMap<String, i64>, i64) {
    let counted: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT relname::text, seq_scan, coalesce(idx_scan, 0) FROM pg_stat_user_tables \
         WHERE relname IN ('tasks', 'comments', 'events', 'task_documents', 'notifications', 'notification_reads')",
    )
    .fetch_all(owner)
    .await
    .unwrap();
    let by_index = counted.iter().map(|(.., by_index)| by_index).sum();
    (counted.into_iter().map(|(table, whole, _)| (table, whole)).collect(), by_index)
}

/// Checked by PostgreSQL's statistics: they cover the statements of the program, with the plans of the query-api's
/// role, and those within functions too. Each statement is sent often enough to get the generic plan.
#[tokio::test]
async fn no_read_scans_a_whole_table() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, [todo, ..]) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    app.settle().await;
    fill(&app.owner, &ada, &project, &todo).await;
    let list = format!("/v1/projects/{project}/tasks?limit=50&sort=");
    let mut reads: Vec<String> = ["created_at", "updated_at", "due_at", "rank"]
        .iter()
        .flat_map(|sort| [format!("{list}{sort}"), format!("{list}-{sort}")])
        .collect();
    reads.extend([
        format!("/v1/projects/{project}/board?column_limit=50"),
        format!("/v1/projects/{project}/calendar?from=2026-01-01&to=2026-12-31&limit=100"),
        format!("/v1/search?q=word7&project_id={project}"),
        "/v1/search?q=word7".to_owned(),
        "/v1/search?q=word7%20c".to_owned(),
        "/v1/search?q=c".to_owned(),
        "/v1/me/tasks".to_owned(),
        format!("/v1/tasks/{task}/comments"),
        format!("/v1/tasks/{task}"),
        "/v1/me/notifications".to_owned(),
        "/v1/me/notifications?unread=true".to_owned(),
        "/v1/me/notifications?unread=false".to_owned(),
    ]);
    for read in reads {
        // Background work during the reads (the projector, the janitor) is counted too: a plan that scans does so every
        // time.
        let mut scanned = Vec::new();
        for _ in 0..3 {
            let before = scans(&app.owner).await;
            read_pages(&ada, &read).await;
            // Connections report their statistics after having been idle for a while.
            let after = eventually("the scans are counted", || async {
                let after = scans(&app.owner).await;
                (after.1 > before.1).then_some(after)
            })
            .await;
            scanned = after.0.into_iter().filter(|(table, whole)| before.0[table] < *whole).collect();
            if scanned.is_empty() {
                break;
            }
        }
        assert!(scanned.is_empty(), "{read} scans whole tables: {scanned:?}");
    }
    let distinct: HashSet<String> =
        ids(&ada.get(&format!("{list}rank")).await.expect(200)["items"]).into_iter().collect();
    assert_eq!(distinct.len(), 50);
    app.stop().await;
}

/// Reads pages often enough to get the generic plan, and with cursors too.
async fn read_pages(actor: &Actor, read: &str) {
    let mut next = read.to_owned();
    for _ in 0..8 {
        let page = actor.get(&next).await.expect(200);
        if let Some(cursor) = page["next_cursor"].as_str() {
            let join = if read.contains('?') { '&' } else { '?' };
            next = format!("{read}{join}cursor={cursor}");
        }
    }
}
