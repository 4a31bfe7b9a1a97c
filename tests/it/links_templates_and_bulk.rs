//! Dependencies, subtasks, project templates, filters, bulk commands and column limits.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Actor, App, TestEnvironment, new_id};

async fn three_tasks(ada: &Actor) -> (String, [String; 3]) {
    let (project, _) = ada.project("P").await;
    let tasks = [ada.task(&project, "a").await, ada.task(&project, "b").await, ada.task(&project, "c").await];
    (project, tasks)
}

#[tokio::test]
async fn a_task_depends_on_others_and_never_on_itself() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (_, [a, b, c]) = three_tasks(&ada).await;
    let waits = |task: &str, on: &str| format!("/v1/tasks/{task}/dependencies/{on}");
    let reply = ada.put(&waits(&a, &b), Value::Null).await.expect(200);
    assert_eq!(reply["events"][0]["changes"]["dependency_ids"], json!({"from": [], "to": [b]}));
    assert_eq!(ada.put(&waits(&a, &b), Value::Null).await.expect(200)["events"], json!([]));
    ada.put(&waits(&b, &c), Value::Null).await.expect(200);
    ada.put(&waits(&c, &a), Value::Null).await.problem(409, "dependency-cycle");
    ada.put(&waits(&a, &a), Value::Null).await.problem(422, "validation-failed");
    let (other, _) = ada.project("Other").await;
    let stray = ada.task(&other, "s").await;
    ada.put(&waits(&a, &stray), Value::Null).await.problem(422, "validation-failed");

    let blocked = |task: String| {
        let (ada, app) = (&ada, &app);
        async move { ada.get_at(&format!("/v1/tasks/{task}"), app.head().await).await.expect(200)["blocked"].clone() }
    };
    assert_eq!((blocked(a.clone()).await, blocked(c.clone()).await), (json!(true), json!(false)));
    let tag = ada.get(&format!("/v1/tasks/{a}")).await.header("etag").to_owned();
    ada.post(&format!("/v1/tasks/{b}/complete"), json!({})).await.expect(200);
    assert_eq!(blocked(a.clone()).await, json!(false));
    // The representation has changed although the task itself has not, and the tag is valid for a command all the same.
    let now = ada.get(&format!("/v1/tasks/{a}")).await;
    assert_ne!(now.header("etag"), tag);
    let based = ada.request(reqwest::Method::PATCH, &format!("/v1/tasks/{a}")).header("if-match", tag);
    ada.send(based.json(&json!({"title": "A"}))).await.expect(200);
    // Once the first dependency is removed, the reverse one is not a cycle.
    ada.delete(&waits(&a, &b)).await.expect(200);
    ada.put(&waits(&c, &a), Value::Null).await.expect(200);
    app.finish().await;
}

/// Two dependencies that are valid one by one form a cycle together: the second is refused.
#[tokio::test]
async fn one_of_two_commands_that_together_close_a_cycle_is_refused() {
    let environment = TestEnvironment::new().await;
    let (app, second) = (App::start_at(environment.clone()).await, App::start_at(environment).await);
    let ada = app.person("ada").await;
    let on_second = Actor { url: second.url.clone(), ..ada.clone() };
    for round in 0..10 {
        let (_, [a, b, _]) = three_tasks(&ada).await;
        let (ab, ba) = (format!("/v1/tasks/{a}/dependencies/{b}"), format!("/v1/tasks/{b}/dependencies/{a}"));
        let (one, other) = tokio::join!(ada.put(&ab, Value::Null), on_second.put(&ba, Value::Null));
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "round {round}: {} {}", one.body, other.body);
    }
    second.stop().await;
    app.finish().await;
}

#[tokio::test]
async fn a_task_counts_its_subtasks_and_those_completed() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, [whole, part, deeper]) = three_tasks(&ada).await;
    let edit = |task: &str, parent: Value| {
        let (ada, path) = (ada.clone(), format!("/v1/tasks/{task}"));
        async move { ada.patch(&path, json!({"parent_id": parent})).await }
    };
    let reply = edit(&part, json!(whole)).await.expect(200);
    assert_eq!(reply["events"][0]["type"], "task.reparented");
    edit(&deeper, json!(part)).await.expect(200);
    edit(&whole, json!(deeper)).await.problem(409, "dependency-cycle");
    edit(&whole, json!(whole)).await.problem(422, "validation-failed");
    let born = json!({"title": "born", "parent_id": whole});
    ada.post(&format!("/v1/projects/{project}/tasks"), born).await.expect(201);
    ada.post(&format!("/v1/tasks/{part}/complete"), json!({})).await.expect(200);
    let shown = ada.get_at(&format!("/v1/tasks/{whole}"), app.head().await).await.expect(200);
    assert_eq!((&shown["subtask_done"], &shown["subtask_total"]), (&json!(1), &json!(2)));
    edit(&part, Value::Null).await.expect(200);
    let shown = ada.get_at(&format!("/v1/tasks/{whole}"), app.head().await).await.expect(200);
    assert_eq!((&shown["subtask_done"], &shown["subtask_total"]), (&json!(0), &json!(1)));
    edit(&whole, json!(deeper)).await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn a_project_is_created_from_a_template() {
    let app = App::start().await;
    let (ada, eve) = (app.person("ada").await, app.person("eve").await);
    let columns = json!([{"name": "Idea", "category": "todo"}, {"name": "Live", "category": "done", "wip_limit": 3}]);
    let from = ada.post("/v1/projects", json!({"name": "Shape", "columns": columns})).await.expect(201);
    let from = from["id"].as_str().unwrap();
    ada.post(&format!("/v1/projects/{from}/labels"), json!({"name": "bug", "color": "red"})).await.expect(201);
    eve.post("/v1/projects", json!({"name": "Mine", "template_id": from})).await.problem(422, "validation-failed");
    let made = ada.post("/v1/projects", json!({"name": "Copy", "template_id": from})).await.expect(201);
    let path = format!("/v1/projects/{}", made["id"].as_str().unwrap());
    let copy = ada.get_at(&path, made["position"].as_i64().unwrap()).await.expect(200);
    let original = ada.get(&format!("/v1/projects/{from}")).await.expect(200);
    let names = |of: &Value, what: &str| -> Vec<Value> {
        of[what].as_array().unwrap().iter().map(|c| c["name"].clone()).collect()
    };
    assert_eq!(
        (names(&copy, "columns"), names(&copy, "labels")),
        (vec![json!("Idea"), json!("Live")], vec![json!("bug")])
    );
    assert_eq!(copy["columns"][1]["wip_limit"], 3);
    assert_ne!(copy["columns"][0]["id"], original["columns"][0]["id"]);
    assert_ne!(copy["labels"][0]["id"], original["labels"][0]["id"]);
    app.finish().await;
}

#[tokio::test]
async fn a_project_filter_is_shared_by_the_members() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let path = format!("/v1/projects/{project}/filters");
    let made = ada.post(&path, json!({"name": "Hot", "query": "priority=urgent"})).await.expect(201);
    let id = made["created_id"].as_str().unwrap();
    ada.patch(&format!("{path}/{id}"), json!({"query": "priority=urgent&status=todo"})).await.expect(200);
    let shown = ada.get_at(&format!("/v1/projects/{project}"), app.head().await).await.expect(200);
    assert_eq!(shown["filters"], json!([{"id": id, "name": "Hot", "query": "priority=urgent&status=todo"}]));
    ada.delete(&format!("{path}/{id}")).await.expect(200);
    ada.patch(&format!("{path}/{id}"), json!({"name": "x"})).await.problem(404, "not-found");
    app.finish().await;
}

#[tokio::test]
async fn a_bulk_command_has_a_dry_run() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let (project, columns) = ada.project("P").await;
    let member = format!("/v1/projects/{project}/members/{}", bo.user_id);
    ada.put(&member, json!({"role": "member"})).await.expect(201);
    let path = format!("/v1/projects/{project}/tasks");
    let mut tasks = Vec::new();
    for n in 0..6 {
        let priority = if n % 2 == 0 { "high" } else { "low" };
        let body = json!({"title": format!("T{n}"), "priority": priority});
        tasks.push(ada.post(&path, body).await.expect(201)["id"].as_str().unwrap().to_owned());
    }
    ada.delete(&format!("/v1/tasks/{}", tasks[4])).await.expect(200);
    let bulk = format!("{path}/bulk");
    let assign = json!({"type": "task.assign", "data": {"user_id": bo.user_id}});
    let filter = json!({"priority": "high", "column_id": columns[0]});
    let preview = ada.post(&bulk, json!({"command": assign, "filter": filter, "preview": true})).await.expect(200);
    assert_eq!(preview, json!({"matched": 2, "results": []}));
    let head = app.head().await;

    let key = "01900000-0000-7000-8000-00000000b01c";
    let send = || async {
        let request = ada.request(reqwest::Method::POST, &bulk).header("idempotency-key", key);
        ada.send(request.json(&json!({"command": assign, "filter": filter}))).await.expect(200)
    };
    let outcomes = |reply: &Value| -> Vec<Value> {
        reply["results"].as_array().unwrap().iter().map(|r| r["outcome"].clone()).collect()
    };
    let first = send().await;
    assert_eq!(outcomes(&first), [json!("applied"), json!("applied")]);
    assert_eq!(send().await, first);
    assert_eq!(app.head().await, head + 2);
    // A refusal does not stop the others; tasks of other projects are not found.
    ada.post(&format!("/v1/tasks/{}/start", tasks[1]), json!({})).await.expect(200);
    let (other, _) = ada.project("Other").await;
    let stray = ada.task(&other, "s").await;
    let pause = json!({"type": "task.pause", "data": {}});
    let reply = ada.post(&bulk, json!({"command": pause, "task_ids": [tasks[0], tasks[1], stray]})).await.expect(200);
    assert_eq!(outcomes(&reply), [json!("rejected"), json!("applied")]);
    assert_eq!(reply["results"][0]["problem"]["code"], "illegal-transition");
    ada.post(&bulk, json!({"command": pause})).await.problem(422, "validation-failed");
    ada.post(&bulk, json!({"command": {"type": "task.create", "data": {"title": "T"}}, "task_ids": []}))
        .await
        .problem(422, "validation-failed");
    app.finish().await;
}

#[tokio::test]
async fn a_repeated_bulk_command_has_the_same_tasks_and_the_same_reply() {
    let environment = TestEnvironment::new().await;
    let (app, second) = (App::start_at(environment.clone()).await, App::start_at(environment).await);
    let ada = app.person("ada").await;
    let on_second = Actor { url: second.url.clone(), ..ada.clone() };
    let (project, _) = ada.project("P").await;
    for title in ["one", "two", "three_tasks"] {
        ada.task(&project, title).await;
    }
    let bulk = format!("/v1/projects/{project}/tasks/bulk");
    let key = new_id().to_string();
    let send = async |actor: &Actor, body: Value| {
        actor.send(actor.request(Method::POST, &bulk).header("idempotency-key", &key).json(&body)).await
    };
    let body = json!({"command": {"type": "task.start", "data": {}}, "filter": {"status": "todo"}});
    let first = send(&ada, body.clone()).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let first = first.expect(200);
    assert_eq!(first["matched"], 3);
    // Tasks that match the filter only now are not changed, by any process.
    let late = ada.task(&project, "late").await;
    let head = app.head().await;
    for actor in [&ada, &on_second] {
        let again = send(actor, body.clone()).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(200), first);
    }
    let other = json!({"command": {"type": "task.start", "data": {}}, "filter": {"status": "paused"}});
    send(&ada, other).await.problem(422, "idempotency-key-reused");
    // As after a kill in the middle: the tasks are recorded, one of them was not reached, and there is no reply.
    let two = Uuid::parse_str(first["results"][1]["task_id"].as_str().unwrap()).unwrap();
    sqlx::query("UPDATE bulk_commands SET answer = NULL").execute(&app.owner).await.unwrap();
    assert_eq!(send(&on_second, body.clone()).await.expect(200), first);
    assert_eq!(app.head().await, head, "nothing is done twice");
    let unreached = new_id().to_string();
    sqlx::query(
        "INSERT INTO bulk_commands (actor_id, command_id, fingerprint, task_ids) \
         SELECT actor_id, $1::uuid, fingerprint, ARRAY [$2, $3::uuid] FROM bulk_commands",
    )
    .bind(&unreached)
    .bind(two)
    .bind(&late)
    .execute(&app.owner)
    .await
    .unwrap();
    let request = ada.request(Method::POST, &bulk).header("idempotency-key", &unreached).json(&body);
    let resumed = ada.send(request).await.expect(200);
    assert_eq!((&resumed["matched"], &resumed["results"][1]["outcome"]), (&json!(2), &json!("applied")));
    assert_eq!(resumed["results"][0]["problem"]["code"], "illegal-transition", "it runs already");
    let head = app.head().await;
    // Of two concurrent requests, one replies for both.
    let key = new_id().to_string();
    let body = json!({"command": {"type": "task.pause", "data": {}}, "filter": {"status": "running"}});
    let send = async |actor: &Actor| {
        actor.send(actor.request(Method::POST, &bulk).header("idempotency-key", &key).json(&body)).await.expect(200)
    };
    let (one, another) = tokio::join!(send(&ada), send(&on_second));
    assert_eq!((&one["matched"], &one), (&json!(4), &another));
    assert_eq!(app.head().await, head + 4);
    second.stop().await;
    app.finish().await;
}

/// Cards that are selected and dragged together stand in the order in which they were selected.
#[tokio::test]
async fn a_bulk_command_that_places_tasks_keeps_their_order() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, columns) = ada.project("P").await;
    let mut tasks = Vec::new();
    for n in 0..30 {
        tasks.push(ada.task(&project, &format!("{n}")).await);
    }
    let (first, last) = (tasks.remove(0), tasks.pop().unwrap());
    let bulk = format!("/v1/projects/{project}/tasks/bulk");
    let on_board = async |column: usize| -> Vec<String> {
        let board = ada.get_at(&format!("/v1/projects/{project}/board"), app.head().await).await.expect(200);
        let cards = board["columns"][column]["tasks"].as_array().unwrap();
        cards.iter().map(|card| card["id"].as_str().unwrap().to_owned()).collect()
    };
    let send = async |command: Value, tasks: &[String]| {
        let answer = ada.post(&bulk, json!({"command": command, "task_ids": tasks})).await;
        let position = answer.position();
        let reply = answer.expect(200);
        assert!(reply["results"].as_array().unwrap().iter().all(|result| result["outcome"] == "applied"), "{reply}");
        assert_eq!(position, app.head().await, "the position of the last change");
    };
    let mut selected: Vec<String> = tasks.iter().rev().cloned().collect();
    selected.rotate_left(7);
    let moves = |data: Value| json!({"type": "task.move", "data": data});
    // Each place with the number of the other two cards that stand before the selected ones.
    for (neighbour, before) in [
        (json!({"after": first}), 1),
        (json!({"before": first}), 0),
        (json!({"before": null}), 2),
        (json!({"after": null}), 0),
    ] {
        let mut place = json!({"column_id": columns[0]});
        place.as_object_mut().unwrap().extend(neighbour.as_object().unwrap().clone());
        send(moves(place.clone()), &selected).await;
        let others = [first.clone(), last.clone()];
        let expected = [&others[..before], &selected, &others[before..]].concat();
        assert_eq!(on_board(0).await, expected, "{place}");
        selected.rotate_left(3);
    }
    send(moves(json!({"column_id": columns[1]})), &selected).await;
    assert_eq!(on_board(1).await, selected);
    selected.reverse();
    send(json!({"type": "task.complete", "data": {}}), &selected).await;
    assert_eq!(on_board(2).await, selected);
    // For a filter, the order of the board.
    let body = json!({"command": {"type": "task.reopen", "data": {}}, "filter": {"status": "completed"}});
    ada.post(&bulk, body).await.expect(200);
    assert_eq!(on_board(0).await, [vec![first, last], selected].concat());
    app.finish().await;
}

#[tokio::test]
async fn a_key_cannot_be_shared_by_a_bulk_command_and_a_single_one() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    let bulk = async |key: &str| {
        let body = json!({"command": {"type": "task.edit", "data": {"priority": "high"}}, "task_ids": [task]});
        let path = format!("/v1/projects/{project}/tasks/bulk");
        ada.send(ada.request(Method::POST, &path).header("idempotency-key", key).json(&body)).await
    };
    let plain = async |key: &str| {
        let request = ada.request(Method::POST, &format!("/v1/tasks/{task}/comments"));
        ada.send(request.header("idempotency-key", key).json(&json!({"text": "c"}))).await
    };
    let attach = async |key: &str| {
        let request = ada.request(Method::POST, &format!("/v1/tasks/{task}/attachments?file_name=a.txt"));
        ada.send(request.header("idempotency-key", key).header("content-type", "text/plain").body("a")).await
    };
    let key = new_id().to_string();
    bulk(&key).await.expect(200);
    let head = app.head().await;
    plain(&key).await.problem(422, "idempotency-key-reused");
    attach(&key).await.problem(422, "idempotency-key-reused");
    assert_eq!(bulk(&key).await.header("idempotency-replayed"), "true");
    assert_eq!(app.head().await, head, "nothing was done");

    let key = new_id().to_string();
    plain(&key).await.expect(201);
    bulk(&key).await.problem(422, "idempotency-key-reused");
    assert_eq!(app.head().await, head + 1);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM bulk_commands").fetch_one(&app.owner).await.unwrap();
    assert_eq!(rows, 1);

    // Of two concurrent requests, one gets the key.
    for _ in 0..5 {
        let key = new_id().to_string();
        let (one, other) = tokio::join!(bulk(&key), plain(&key));
        assert_ne!(one.status == 422, other.status == 422, "{} {}", one.body, other.body);
    }
    app.finish().await;
}

/// An enforced limit holds when two moves race for the last free slot.
#[tokio::test]
async fn an_enforced_limit_holds_under_concurrent_moves() {
    let environment = TestEnvironment::new().await;
    let (app, second) = (App::start_at(environment.clone()).await, App::start_at(environment).await);
    let ada = app.person("ada").await;
    let on_second = Actor { url: second.url.clone(), ..ada.clone() };
    for round in 0..5 {
        let (project, columns) = ada.project("P").await;
        let limit = json!({"wip_limit": 1, "wip_policy": "enforced"});
        ada.patch(&format!("/v1/projects/{project}/columns/{}", columns[1]), limit).await.expect(200);
        let (a, b) = (ada.task(&project, "a").await, ada.task(&project, "b").await);
        let to = json!({"column_id": columns[1]});
        let (a, b) = (format!("/v1/tasks/{a}/move"), format!("/v1/tasks/{b}/move"));
        let (one, other) = tokio::join!(ada.post(&a, to.clone()), on_second.post(&b, to));
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "round {round}: {} {}", one.body, other.body);
    }
    second.stop().await;
    app.finish().await;
}
