//! Side tables of the append: checked by `verify`, rebuilt by `taskfold rebuild --write-side`, and never decided on
//! when they are known to be incomplete.

use serde_json::{Value, json};
use taskfold_projector::write_side::{Repaired, repair};
use uuid::Uuid;

use crate::harness::{Actor, App, eventually, new_id};

async fn run(app: &App, sql: &str) {
    sqlx::raw_sql(sql).execute(&app.owner).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// All rows of the side tables of the append.
async fn rows(app: &App) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT 'place ' || t::text FROM task_places t UNION ALL SELECT 'link ' || t::text FROM task_links t \
         UNION ALL SELECT 'due ' || t::text FROM due_schedule t UNION ALL SELECT 'command ' || t::text FROM commands t \
         UNION ALL SELECT 'head ' || t::text FROM aggregate_heads t ORDER BY 1",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap()
}

/// Output of the program, which must exit successfully.
async fn taskfold(app: &App, arguments: &[&str]) -> String {
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_taskfold"));
    let output =
        program.args(arguments).args(["--database-url", &app.database_url, "--log", "error"]).output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn id_of(made: &Value) -> String {
    made["id"].as_str().unwrap().to_owned()
}

/// Creates two tasks, one of which depends on the other, is its subtask and is due; and a comment under a key.
async fn filled(app: &App, ada: &Actor) -> (String, String, String) {
    let (project, _) = ada.project("P").await;
    let whole = ada.task(&project, "whole").await;
    let part = json!({"title": "part", "parent_id": whole, "due_at": "2100-01-01T00:00:00Z"});
    let part = id_of(&ada.post(&format!("/v1/projects/{project}/tasks"), part).await.expect(201));
    ada.put(&format!("/v1/tasks/{part}/dependencies/{whole}"), Value::Null).await.expect(200);
    app.settle().await;
    (project, whole, part)
}

#[tokio::test]
async fn verify_reports_differences_and_a_rebuild_repairs_them() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    filled(&app, &ada).await;
    let before = rows(&app).await;
    assert!(app.verify().await.is_clean());
    for (sql, named) in [
        ("DELETE FROM task_places", "task_places: task"),
        ("UPDATE task_places SET rank = rank || 'V'", "differs from the log"),
        ("UPDATE task_places SET state = 2", "differs from the log"),
        ("UPDATE task_places SET project_id = gen_random_uuid()", "differs from the log"),
        (
            "INSERT INTO task_places SELECT gen_random_uuid(), project_id, column_id, rank || 'x', state FROM task_places",
            "exists, but the log does not have it",
        ),
        // The two tasks with their ranks exchanged.
        (
            "UPDATE task_places SET rank = '-' || rank; \
             UPDATE task_places t SET rank = substr(o.rank, 2) FROM task_places o WHERE o.task_id <> t.task_id",
            "task_places: task",
        ),
        ("DELETE FROM task_links", "task_links: task"),
        ("UPDATE task_links SET target_id = gen_random_uuid()", "task_links: task"),
        ("INSERT INTO task_links SELECT 1, target_id, task_id FROM task_links WHERE kind = 1", "task_links: task"),
        ("INSERT INTO task_links VALUES (1, gen_random_uuid(), gen_random_uuid())", "the log does not have it"),
        ("DELETE FROM due_schedule", "due_schedule: task"),
        ("UPDATE due_schedule SET at = at + interval '1 hour'", "due_schedule: task"),
        ("UPDATE due_schedule SET at = 'infinity'", "due_schedule: task"),
        ("INSERT INTO due_schedule VALUES (gen_random_uuid(), '2100-01-01Z')", "the log does not have it"),
        ("DELETE FROM aggregate_heads", "aggregate_heads: project"),
        ("UPDATE aggregate_heads SET version = version + 1", "differs from the log"),
        ("UPDATE aggregate_heads SET command_id = gen_random_uuid()", "aggregate_heads: task"),
        (
            "INSERT INTO aggregate_heads VALUES ('task', gen_random_uuid(), 1, 1, gen_random_uuid())",
            "the log does not have it",
        ),
        ("DELETE FROM commands", "commands: command"),
        ("UPDATE commands SET fingerprint = '\\x00'", "commands: command"),
        ("UPDATE commands SET created = NOT created", "commands: command"),
        ("UPDATE commands SET version = version + 1", "commands: command"),
        ("UPDATE commands SET first_position = 1", "commands: command"),
        (
            "INSERT INTO commands SELECT actor_id, gen_random_uuid(), fingerprint, aggregate_id, version, first_position, last_position, \
             created_id, created FROM commands",
            "the log does not have it",
        ),
    ] {
        run(&app, sql).await;
        let report = app.verify().await;
        assert!(report.faults.iter().any(|fault| fault.contains(named)), "{sql}:\n{report}");
        let repaired = repair(&app.owner).await.unwrap();
        assert!(repaired.not_placed.is_empty() && repaired.commands_lost == 0, "{sql}: {repaired:?}");
        assert_eq!(rows(&app).await, before, "{sql}");
    }

    // As an operator does.
    run(&app, "DELETE FROM task_places").await;
    let rebuild = taskfold(&app, &["rebuild", "--write-side"]).await;
    assert!(rebuild.contains("2 tasks repaired"), "{rebuild}");
    let verify = taskfold(&app, &["verify", "--nats-url", &app.nats_url, "--stream", &app.stream]).await;
    assert!(verify.contains("append: 2 tasks") && verify.contains("all agree"), "{verify}");
    app.finish().await;
}

#[tokio::test]
async fn verify_reports_broken_sequences_grants_and_identities() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    filled(&app, &ada).await;
    for (damage, repair, expected) in [
        (
            "UPDATE events SET payload = replace(payload::text, '\"from\":[]', format('\"from\":[\"%s\"]', gen_random_uuid()))::json WHERE position = 4",
            "UPDATE events SET payload = regexp_replace(payload::text, '\"from\":\\[[^]]*\\]', '\"from\":[]')::json WHERE position = 4",
            "position 4 does not follow: dependency_ids",
        ),
        (
            "REVOKE SELECT ON tasks FROM taskfold_query",
            "GRANT SELECT ON tasks TO taskfold_query",
            "access: role taskfold_query lacks SELECT on tasks",
        ),
        (
            "GRANT DELETE ON events TO taskfold_query",
            "REVOKE DELETE ON events FROM taskfold_query",
            "access: role taskfold_query has DELETE on events",
        ),
        (
            "ALTER TABLE tasks DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE tasks ENABLE ROW LEVEL SECURITY",
            "access: row-level security is off on tasks",
        ),
        (
            "INSERT INTO log_identities VALUES (2, gen_random_uuid(), 1)",
            "DELETE FROM log_identities WHERE epoch = 2",
            "found epoch 2 where 1 was expected",
        ),
        (
            "INSERT INTO log_identities VALUES (1, gen_random_uuid(), 1000)",
            "DELETE FROM log_identities WHERE epoch = 1",
            "forks at a position that the log does not have",
        ),
    ] {
        run(&app, damage).await;
        let report = app.verify().await;
        assert!(report.faults.iter().any(|fault| fault.contains(expected)), "{damage}:\n{report}");
        run(&app, repair).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn only_commands_on_incomplete_aggregates_wait_for_a_rebuild() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, whole, part) = filled(&app, &ada).await;
    let key = new_id();
    let comment = || {
        let request = ada.request(reqwest::Method::POST, &format!("/v1/tasks/{whole}/comments"));
        request.header("idempotency-key", key.to_string()).json(&json!({"text": "once"}))
    };
    ada.send(comment()).await.expect(201);
    app.settle().await;
    let head = app.head().await;
    run(&app, &format!("DELETE FROM task_places WHERE task_id = '{part}'; DELETE FROM task_links; DELETE FROM commands WHERE command_id = '{key}'; \
         DELETE FROM aggregate_heads WHERE aggregate_id = '{whole}'")).await;

    let (archive, unlink) = (format!("/v1/tasks/{part}/archive"), format!("/v1/tasks/{part}/dependencies/{whole}"));
    // In one batch with others, which are appended.
    let tasks = format!("/v1/projects/{project}/tasks");
    let (refused, new, also) = tokio::join!(
        ada.post(&archive, json!({})),
        ada.post(&tasks, json!({"title": "new"})),
        ada.post(&tasks, json!({"title": "also"})),
    );
    refused.problem(503, "unavailable");
    new.expect(201);
    also.expect(201);
    ada.delete(&unlink).await.problem(503, "unavailable");
    ada.send(comment()).await.problem(503, "unavailable");
    ada.patch(&format!("/v1/tasks/{whole}"), json!({"title": "headless"})).await.problem(503, "unavailable");
    let suspended: Option<String> =
        sqlx::query_scalar("SELECT suspended FROM log_head").fetch_one(&app.owner).await.unwrap();
    assert_eq!(suspended, None, "a missing head is not a restored log");
    assert_eq!(app.head().await, head + 2, "nothing is done twice, and nothing by half");

    let Repaired { tasks, commands, heads, .. } = repair(&app.owner).await.unwrap();
    assert_eq!((tasks, commands, heads), (1, 1, 1));
    let again = ada.send(comment()).await;
    assert_eq!(again.expect(201)["position"], head);
    ada.post(&archive, json!({})).await.expect(200);
    ada.delete(&unlink).await.expect(200);
    app.finish().await;
}

/// A pseudo-random generator, the same in every run.
struct Dice(u32);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % bound
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

#[tokio::test]
async fn side_tables_equal_the_fold_of_the_log_after_many_commands() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, columns) = ada.project("P").await;
    let board = json!({
        "id": "5e0c7d000000000000000001", "name": "Old", "closed": false,
        "lists": [{"id": "l1", "name": "Ideas", "pos": 1, "closed": false}], "labels": [], "members": [], "actions": [],
        "checklists": [],
        "cards": [
            {"id": "c1", "idList": "l1", "pos": 1, "name": "over", "closed": false, "due": "2020-02-01T12:00:00.000Z"},
            {"id": "c2", "idList": "l1", "pos": 2, "name": "to come", "closed": false, "due": "2120-02-01T12:00:00.000Z"},
            {"id": "c3", "idList": "l1", "pos": 3, "name": "off", "closed": true, "due": "2120-02-01T12:00:00.000Z"},
        ],
    });
    let import = ada.post("/v1/imports?format=trello", board).await;
    let location = import.header("location").to_owned();
    eventually("the import ends", || async { (ada.get(&location).await.expect(200)["state"] == "done").then_some(()) })
        .await;
    let imported: Vec<Uuid> =
        sqlx::query_scalar("SELECT task_id FROM task_places").fetch_all(&app.owner).await.unwrap();

    let mut dice = Dice(7);
    let mut tasks: Vec<String> = Vec::new();
    let dues = [json!(null), json!("2100-01-01T00:00:00Z"), json!("2020-01-01T00:00:00Z")];
    for n in 0..250 {
        let due = dice.one_of(&dues).clone();
        let key = new_id().to_string();
        let send = async |method: reqwest::Method, path: String, body: Value| {
            ada.send(ada.request(method, &path).header("idempotency-key", &key).json(&body)).await
        };
        if tasks.len() < 12 || dice.below(8) == 0 {
            let parent = if tasks.is_empty() || dice.below(2) == 0 { Value::Null } else { json!(dice.one_of(&tasks)) };
            let mut new = json!({"title": format!("T{n}"), "due_at": due});
            if !parent.is_null() {
                new["parent_id"] = parent;
            }
            let made = send(reqwest::Method::POST, format!("/v1/projects/{project}/tasks"), new).await;
            if made.status == 201 {
                tasks.push(id_of(&made.body));
            }
            continue;
        }
        let other = dice.one_of(&tasks).clone();
        let old = dice.below(10) == 0;
        let task = if old { dice.one_of(&imported).to_string() } else { dice.one_of(&tasks).clone() };
        let path = format!("/v1/tasks/{task}");
        let (method, path, body) = match dice.below(14) {
            0 | 1 => ("POST", format!("{path}/move"), json!({"column_id": dice.one_of(&columns)})),
            2 => ("POST", format!("{path}/archive"), json!({})),
            3 => ("POST", format!("{path}/unarchive"), json!({})),
            4 => ("DELETE", path, Value::Null),
            5 => ("POST", format!("{path}/restore"), json!({})),
            6 | 7 => ("PUT", format!("{path}/dependencies/{other}"), json!({})),
            8 => ("DELETE", format!("{path}/dependencies/{other}"), Value::Null),
            9 => ("PATCH", path, json!({"parent_id": if dice.below(2) == 0 { Value::Null } else { json!(other) }})),
            10 => ("PATCH", path, json!({"due_at": due})),
            11 => ("POST", format!("{path}/complete"), json!({})),
            12 => ("POST", format!("{path}/reopen"), json!({})),
            _ => ("POST", format!("{path}/comments"), json!({"text": "a comment"})),
        };
        let answer = send(method.parse().unwrap(), path, body).await;
        assert!(answer.status.as_u16() < 500, "{}", answer.body);
    }
    eventually("all reminders are sent", || async {
        let due: i64 = sqlx::query_scalar("SELECT count(*) FROM due_schedule WHERE at < now()")
            .fetch_one(&app.owner)
            .await
            .unwrap();
        (due == 0).then_some(())
    })
    .await;
    app.settle().await;
    let report = app.verify().await;
    assert!(report.is_clean(), "{report}");

    let before = rows(&app).await;
    for kind in ["place", "link", "due", "command"] {
        assert!(before.iter().any(|row| row.starts_with(kind)), "there is no {kind}");
    }
    run(&app, "DELETE FROM task_places; DELETE FROM task_links; DELETE FROM due_schedule; DELETE FROM commands WHERE first_position <= last_position").await;
    let repaired = repair(&app.owner).await.unwrap();
    assert!(repaired.not_placed.is_empty() && repaired.commands_lost == 0, "{repaired:?}");
    assert_eq!(rows(&app).await, before);

    // Events of an earlier release do not name their commands: existing rows are kept, and missing ones are counted.
    run(&app, "UPDATE events SET metadata = '{}'").await;
    let report = app.verify().await;
    assert!(report.is_clean(), "{report}");
    run(&app, "DELETE FROM task_places; DELETE FROM task_links; DELETE FROM due_schedule; DELETE FROM commands WHERE last_position = 1 AND first_position = 1").await;
    assert_eq!(repair(&app.owner).await.unwrap().commands_lost, 1);
    let of_tasks =
        |rows: Vec<String>| -> Vec<String> { rows.into_iter().filter(|row| !row.starts_with("command")).collect() };
    assert_eq!(of_tasks(rows(&app).await), of_tasks(before));
    app.stop().await;
}
