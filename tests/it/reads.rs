//! REST reads: pages, filters, the feed, positions and metrics.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, App, Process, TestEnvironment, eventually};

#[tokio::test]
async fn a_read_at_the_position_of_a_reply_has_the_write() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    for i in 0..20 {
        let body =
            ada.post(&format!("/v1/projects/{project}/tasks"), json!({"title": format!("{i}")})).await.expect(201);
        let path = format!("/v1/tasks/{}", body["id"].as_str().unwrap());
        let read = ada.get_at(&path, body["position"].as_i64().unwrap()).await;
        assert!(read.position() >= body["position"].as_i64().unwrap());
        read.expect(200);
    }
    app.finish().await;
}

#[tokio::test]
async fn a_task_has_the_fields_of_the_contract() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, [todo, ..]) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    app.settle().await;
    let read = ada.get(&format!("/v1/tasks/{task}")).await.expect(200);
    for field in [
        "id",
        "project_id",
        "title",
        "description",
        "status",
        "column_id",
        "rank",
        "priority",
        "assignee_ids",
        "label_ids",
        "start_at",
        "due_at",
        "estimate_minutes",
        "parent_id",
        "blocked",
        "archived",
        "deleted",
        "elapsed_ms",
        "checklists",
        "comment_count",
        "attachment_count",
        "created_at",
        "created_by",
        "updated_at",
        "version",
        "allowed_commands",
    ] {
        assert!(read.get(field).is_some(), "{field} is not in {read}");
    }
    assert_eq!((&read["column_id"], &read["created_by"]), (&json!(todo), &json!(ada.user_id)));
    let board = ada.get(&format!("/v1/projects/{project}/board")).await.expect(200);
    let card = &board["columns"][0]["tasks"][0];
    assert_eq!((&card["checklist_done"], &card["checklist_total"]), (&json!(0), &json!(0)));
    assert!(card.get("description").is_none() && card.get("checklists").is_none());
    let me = ada.get("/v1/me").await.expect(200);
    assert_eq!((&me["user_id"], &me["username"]), (&json!(ada.user_id), &json!("ada")));
    app.finish().await;
}

#[tokio::test]
async fn pages_have_no_gaps_or_overlaps_in_any_order() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, [_, doing, _]) = ada.project("P").await;
    for i in 0..23 {
        let due = (i % 3 != 0).then(|| format!("2027-01-{:02}T00:00:00Z", 28 - i));
        let priority = ["none", "low", "urgent"][i % 3];
        let new = json!({
            "title": format!("t{}", i % 7),
            "due_at": due,
            "priority": priority,
            "column_id": (i % 2 == 0).then_some(&doing),
        });
        ada.post(&format!("/v1/projects/{project}/tasks"), new).await.expect(201);
    }
    app.settle().await;
    let base = format!("/v1/projects/{project}/tasks");
    for sort in ["created_at", "updated_at", "due_at", "priority", "title", "rank"] {
        for direction in ["", "-"] {
            let mut seen = Vec::new();
            let mut next = format!("{base}?limit=5&sort={direction}{sort}");
            loop {
                let answer = ada.get(&next).await;
                let link = answer.header("link").to_owned();
                let body = answer.expect(200);
                seen.extend(body["items"].as_array().unwrap().iter().map(|t| t["id"].as_str().unwrap().to_owned()));
                let Some(cursor) = body["next_cursor"].as_str() else { break };
                assert!(link.contains("rel=\"next\""), "{link}");
                next = format!("{base}?limit=5&sort={direction}{sort}&cursor={cursor}");
            }
            let distinct: std::collections::HashSet<_> = seen.iter().collect();
            assert_eq!((seen.len(), distinct.len()), (23, 23), "{direction}{sort}");
        }
    }
    let count = async |query: &str| -> usize {
        ada.get(&format!("{base}?limit=200&{query}")).await.expect(200)["items"].as_array().unwrap().len()
    };
    assert_eq!(count("priority=urgent").await, 7);
    assert_eq!(count(&format!("column_id={doing}&status=running")).await, 12);
    assert_eq!(count("q=T3").await, 3);
    assert_eq!(count("due_before=2027-01-10T00:00:00Z&due_after=2027-01-01T00:00:00Z").await, 3);
    app.finish().await;
}

#[tokio::test]
async fn unchanged_resources_are_not_modified() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    app.settle().await;
    for path in [
        format!("/v1/projects/{project}"),
        format!("/v1/projects/{project}/board"),
        format!("/v1/projects/{project}/tasks"),
        format!("/v1/projects/{project}/members"),
        format!("/v1/tasks/{task}"),
    ] {
        let first = ada.get(&path).await;
        let etag = first.header("etag").to_owned();
        first.expect(200);
        let again = ada.send(ada.request(Method::GET, &path).header("if-none-match", &etag)).await;
        assert_eq!((again.status.as_u16(), again.header("etag")), (304, etag.as_str()), "{path}");
        assert_eq!(again.body, Value::String(String::new()));
    }
    app.finish().await;
}

#[tokio::test]
async fn the_feed_advances_past_events_of_other_projects() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (one, _) = ada.project("One").await;
    let (two, _) = ada.project("Two").await;
    for i in 0..10 {
        ada.task(if i % 2 == 0 { &one } else { &two }, &format!("{i}")).await;
    }
    app.settle().await;
    let (mut since, mut seen) = (0, Vec::new());
    loop {
        let page = ada.get(&format!("/v1/projects/{one}/events?since={since}&limit=2")).await.expect(200);
        seen.extend(page["events"].as_array().unwrap().iter().map(|e| e["position"].as_i64().unwrap()));
        since = page["next"].as_i64().unwrap();
        assert_eq!(page["head"], 12);
        if page["has_more"] == json!(false) {
            break;
        }
    }
    assert_eq!((seen, since), (vec![1, 3, 5, 7, 9, 11], 12));
    app.finish().await;
}

#[tokio::test]
async fn history_lists_changes_with_their_actors_newest_first() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "One").await;
    ada.patch(&format!("/v1/tasks/{task}"), json!({"title": "Two"})).await.expect(200);
    app.settle().await;
    let history = ada.get(&format!("/v1/tasks/{task}/history")).await.expect(200);
    let items = history["items"].as_array().unwrap();
    assert_eq!(items[0]["changes"]["title"], json!({"from": "One", "to": "Two"}));
    assert_eq!((&items[0]["actor_id"], &items[1]["type"]), (&json!(ada.user_id), &json!("task.created")));
    app.finish().await;
}

#[tokio::test]
async fn archived_and_deleted_tasks_are_not_on_the_board_but_can_be_read() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let (old, deleted) = (ada.task(&project, "old").await, ada.task(&project, "gone").await);
    ada.post(&format!("/v1/tasks/{old}/archive"), json!({})).await.expect(200);
    ada.delete(&format!("/v1/tasks/{deleted}")).await.expect(200);
    app.settle().await;
    let board = ada.get(&format!("/v1/projects/{project}/board")).await.expect(200);
    assert_eq!(board["columns"][0]["tasks"], json!([]));
    let titles = async |query: &str| -> Vec<Value> {
        let list = ada.get(&format!("/v1/projects/{project}/tasks{query}")).await.expect(200);
        list["items"].as_array().unwrap().iter().map(|t| t["title"].clone()).collect()
    };
    assert_eq!(titles("").await, Vec::<Value>::new());
    assert_eq!(titles("?archived=true").await, ["old"]);
    assert_eq!(titles("?deleted=true").await, ["gone"]);
    assert_eq!(ada.get(&format!("/v1/tasks/{deleted}")).await.expect(200)["deleted"], true);
    app.finish().await;
}

/// A full page of the feed does not change unless its texts do: a client revalidates it by its tag.
#[tokio::test]
async fn a_full_page_of_the_feed_keeps_its_tag() {
    let app = App::start().await;
    let (ada, eve) = (app.person("ada").await, app.person("eve").await);
    let (project, _) = ada.project("P").await;
    for i in 0..4 {
        ada.task(&project, &format!("{i}")).await;
    }
    app.settle().await;
    let path = format!("/v1/projects/{project}/events?since=0&limit=2");
    let full = ada.get(&path).await;
    let tag = full.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    assert_eq!(full.header("cache-control"), "private, no-cache");
    assert!(full.headers.get_all("vary").iter().any(|v| v.to_str().unwrap().contains("authorization")));
    let page = full.expect(200);
    ada.task(&project, "later").await;
    app.settle().await;
    let ask = async |actor: &Actor, path: &str| {
        let request = actor.request(Method::GET, path).header("if-none-match", format!("\"x\", {tag}"));
        request.send().await.unwrap()
    };
    let known = ask(&ada, &path).await;
    assert_eq!((known.status().as_u16(), known.headers()["etag"].to_str().unwrap()), (304, tag.as_str()));
    let again = ada.get(&path).await;
    assert_eq!((again.header("etag"), &again.body["events"]), (tag.as_str(), &page["events"]));
    // For another page or another user, the tag does not match.
    assert_eq!(ask(&ada, &format!("/v1/projects/{project}/events?since=1&limit=2")).await.status(), 200);
    assert_eq!(ask(&ada, &format!("/v1/projects/{project}/events?since=0&limit=3")).await.status(), 200);
    assert_eq!(ask(&eve, &path).await.status(), 404);
    // Once a text in it changes, so does the page.
    sqlx::query("UPDATE events SET payload = jsonb_set(payload::jsonb, '{changes,title,to}', '\"erased\"')::json WHERE position = 2")
        .execute(&app.owner)
        .await
        .unwrap();
    assert_eq!(ask(&ada, &path).await.status(), 200);
    // The stream still has the earlier text.
    app.stop().await;
}

#[tokio::test]
async fn published_events_are_read_even_after_the_read_tables_lost_them() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let mut stream = ada.stream(&format!("/v1/projects/{project}/events/stream")).await;
    let task = ada.task(&project, "T").await;
    let announced = app.head().await;
    assert_eq!(stream.changes_until(announced).await, [announced]);

    // As after a crash of PostgreSQL, in which the projector's last rows need not have been on disk; and the projector
    // is blocked.
    let mut held = app.owner.begin().await.unwrap();
    sqlx::query("LOCK TABLE set_aside_events").execute(&mut *held).await.unwrap();
    let mut lost = app.owner.begin().await.unwrap();
    for table in ["tasks", "task_documents", "column_counts"] {
        sqlx::query(&format!("DELETE FROM {table}")).execute(&mut *lost).await.unwrap();
    }
    sqlx::query("UPDATE projection_checkpoint SET position = position - 1").execute(&mut *lost).await.unwrap();
    lost.commit().await.unwrap();
    let read = |seconds: u32| {
        let request = ada.request(Method::GET, &format!("/v1/tasks/{task}"));
        ada.send(request.header("prefer", format!("wait={seconds}")))
    };
    // It waits for the published position, but not indefinitely.
    let began = Instant::now();
    read(1).await.problem(503, "read-model-behind");
    assert!(began.elapsed() >= Duration::from_secs(1));
    let now: String = sqlx::query_scalar("SELECT clock_timestamp()::text").fetch_one(&app.owner).await.unwrap();
    let release = async {
        eventually("the read has found the tables behind", || async {
            let closed_snapshot = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
                   AND application_name = 'taskfold query-api' AND query = 'ROLLBACK' AND state = 'idle' \
                   AND state_change > $1::timestamptz)",
            );
            closed_snapshot.bind(&now).fetch_one(&app.owner).await.unwrap_or(false).then_some(())
        })
        .await;
        held.rollback().await.unwrap();
    };
    let (answer, ()) = tokio::join!(read(20), release);
    assert_eq!(answer.position(), announced);
    assert_eq!(answer.expect(200)["title"], "T");
    drop(stream);
    app.finish().await;
}

/// More requests wait than there are connections to the database (4), and all others are answered meanwhile. The log
/// of the query-api has every query: a request waits after its second read of the feed.
#[tokio::test]
async fn a_long_poll_waits_for_the_next_event_without_a_database_connection() {
    const WAITING: usize = 50;
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    std::fs::create_dir_all(&app.data_dir).unwrap();
    let log = app.data_dir.join("log.jsonl");
    let settings = [app.settings().as_slice(), &["--pool-size", "4"]].concat();
    let query_api = Process::start_logging("query-api", "error,sqlx=debug", &settings, &log);
    query_api.ready().await;
    let reader = Actor { url: query_api.url.clone(), ..ada.clone() };
    let path = format!("/v1/projects/{project}/events?since={}", app.head().await);
    let began = Instant::now();
    let waiting: Vec<_> = (0..WAITING)
        .map(|_| tokio::spawn(reader.request(Method::GET, &path).header("prefer", "wait=30").send()))
        .collect();
    eventually("all requests wait", || async {
        let queries = std::fs::read_to_string(&log).unwrap();
        (queries.matches("AS project (id) CROSS JOIN LATERAL").count() >= 2 * WAITING).then_some(())
    })
    .await;
    for _ in 0..20 {
        reader.get(&format!("/v1/projects/{project}/board")).await.expect(200);
    }
    eventually("no transaction is open", || async {
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
               AND application_name = 'taskfold query-api' AND xact_start IS NOT NULL",
        )
        .fetch_one(&app.owner)
        .await
        .unwrap();
        (open == 0).then_some(())
    })
    .await;
    assert!(waiting.iter().all(|answer| !answer.is_finished()), "they still wait");
    ada.task(&project, "late").await;
    for answer in waiting {
        let page: Value = answer.await.unwrap().unwrap().json().await.unwrap();
        assert_eq!(page["events"][0]["changes"]["title"]["to"], "late", "{page}");
    }
    assert!(began.elapsed() < Duration::from_secs(30), "answered at the end of the wait and not at the event");
    drop(query_api);
    app.finish().await;
}

#[tokio::test]
async fn metrics_include_memory_and_cache_hits() {
    let environment = TestEnvironment::new().await;
    let process = Process::start("all", &environment.settings());
    process.ready().await;
    let ada = Actor::sign_up(&process.url, "ada").await;
    let token = ada.api_token(json!({"name": "script", "access": "write"})).await;
    let (project, _) = ada.project("P").await;
    for _ in 0..2 {
        let task = token.task(&project, "T").await;
        token.patch(&format!("/v1/tasks/{task}"), json!({"title": "U"})).await.expect(200);
    }
    let metrics = reqwest::get(format!("{}/metrics", process.url)).await.unwrap().text().await.unwrap();
    for name in ["task", "project", "session_tokens", "api_tokens"] {
        let hits = format!("taskfold_cache_lookups_total{{cache=\"{name}\",outcome=\"hit\"}} ");
        assert!(metrics.lines().any(|line| line.starts_with(&hits)), "{hits}: {metrics}");
    }
    let memory = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes ")).unwrap();
    assert!(memory.parse::<f64>().unwrap() > 1e6, "{memory}");
}
