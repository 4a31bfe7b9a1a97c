//! Commands and their replies: keys, preconditions, roles, placements and limits.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Actor, App, new_id};

#[tokio::test]
async fn a_create_returns_its_position_in_the_log() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, [todo, ..]) = ada.project("Website").await;
    let answer = ada.post(&format!("/v1/projects/{project}/tasks"), json!({"title": "Ship it"})).await;
    let id = answer.body["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), format!("/v1/tasks/{id}"));
    assert!(answer.header("etag").starts_with("\"1@"), "{}", answer.header("etag"));
    assert_eq!(answer.header("taskfold-position"), "2");
    let body = answer.expect(201);
    assert_eq!((&body["version"], &body["position"]), (&json!(1), &json!(2)));
    let change = &body["events"][0];
    assert_eq!(change["type"], "task.created");
    assert_eq!(change["subject"], json!({"kind": "task", "id": id}));
    assert_eq!(change["actor_id"], ada.user_id);
    assert_eq!(change["changes"]["title"], json!({"from": null, "to": "Ship it"}));
    assert_eq!(change["changes"]["column_id"], json!({"from": null, "to": todo}));
    assert_eq!(change["occurred_at"], change["recorded_at"]);
    app.finish().await;
}

#[tokio::test]
async fn client_generated_ids_are_kept_and_used_ids_are_refused() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let id = new_id();
    let new = json!({"id": id, "title": "T"});
    assert_eq!(ada.post(&format!("/v1/projects/{project}/tasks"), new.clone()).await.expect(201)["id"], json!(id));
    ada.post(&format!("/v1/projects/{project}/tasks"), new).await.problem(409, "already-exists");
    app.finish().await;
}

fn keyed(actor: &Actor, method: Method, path: &str, key: Uuid, body: &Value) -> reqwest::RequestBuilder {
    actor.request(method, path).header("idempotency-key", key.to_string()).json(body)
}

#[tokio::test]
async fn a_repeated_key_gets_the_same_reply_and_a_different_request_is_refused() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let path = format!("/v1/projects/{project}/tasks");
    let key = new_id();
    let first = ada.send(keyed(&ada, Method::POST, &path, key, &json!({"title": "Once"}))).await;
    let again = ada.send(keyed(&ada, Method::POST, &path, key, &json!({"title": "Once"}))).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(first.expect(201), again.expect(201));
    let other = ada.send(keyed(&ada, Method::POST, &path, key, &json!({"title": "Twice"}))).await;
    other.problem(422, "idempotency-key-reused");

    // A key belongs to its caller: the same key of another caller is another command.
    let bea = app.person("bea").await;
    let (hers, _) = bea.project("Hers").await;
    let hers = format!("/v1/projects/{hers}/tasks");
    bea.send(keyed(&bea, Method::POST, &hers, key, &json!({"title": "Once"}))).await.expect(201);

    // A quoted key is the same key; one that is no UUID is malformed.
    let quoted = ada.request(Method::POST, &path).header("idempotency-key", format!("\"{key}\""));
    assert_eq!(ada.send(quoted.json(&json!({"title": "Once"}))).await.header("idempotency-replayed"), "true");
    let bad = ada.request(Method::POST, &path).header("idempotency-key", "once").json(&json!({"title": "Once"}));
    ada.send(bad).await.problem(400, "malformed");
    app.finish().await;
}

#[tokio::test]
async fn a_repeated_command_gets_its_reply_even_if_it_would_be_refused_now() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    let path = format!("/v1/tasks/{task}/start");
    let key = new_id();
    let first = ada.send(keyed(&ada, Method::POST, &path, key, &json!({}))).await.expect(200);
    let again = ada.send(keyed(&ada, Method::POST, &path, key, &json!({}))).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(200), first);
    let fresh = ada.post(&path, json!({})).await;
    let problem = fresh.problem(409, "illegal-transition");
    assert_eq!(problem["task_status"], "running");
    assert!(problem["allowed"].as_array().unwrap().contains(&json!("pause")));
    app.finish().await;
}

#[tokio::test]
async fn a_refused_command_can_be_sent_again_with_its_key() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    let key = new_id();
    let path = format!("/v1/tasks/{task}/pause");
    ada.send(keyed(&ada, Method::POST, &path, key, &json!({}))).await.problem(409, "illegal-transition");
    ada.post(&format!("/v1/tasks/{task}/start"), json!({})).await.expect(200);
    let again = ada.send(keyed(&ada, Method::POST, &path, key, &json!({}))).await;
    assert_eq!(again.header("idempotency-replayed"), "");
    again.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn a_command_without_a_change_says_so_and_its_key_is_stored() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "Old").await;
    let path = format!("/v1/tasks/{task}");
    let nothing = ada.patch(&path, json!({"title": "Old"})).await.expect(200);
    assert_eq!((&nothing["events"], &nothing["version"], &nothing["position"]), (&json!([]), &json!(1), &json!(2)));
    let key = new_id();
    ada.send(keyed(&ada, Method::PATCH, &path, key, &json!({"title": "Old"}))).await.expect(200);
    ada.patch(&path, json!({"title": "New"})).await.expect(200);
    // The late retry of the command that changed nothing does not undo what came after it.
    let late = ada.send(keyed(&ada, Method::PATCH, &path, key, &json!({"title": "Old"}))).await;
    assert_eq!(late.header("idempotency-replayed"), "true");
    assert_eq!(late.expect(200)["events"], json!([]));
    app.finish().await;
}

#[tokio::test]
async fn a_patch_keeps_absent_fields_and_clears_null_ones() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let new = json!({"title": "T", "description": "D", "due_at": "2027-01-01T00:00:00Z", "priority": "high"});
    let task = ada.post(&format!("/v1/projects/{project}/tasks"), new).await.expect(201)["id"].clone();
    let path = format!("/v1/tasks/{}", task.as_str().unwrap());
    let body = ada.patch(&path, json!({"due_at": null})).await.expect(200);
    assert_eq!(body["events"][0]["type"], "task.scheduled");
    assert_eq!(body["events"][0]["changes"], json!({"due_at": {"from": "2027-01-01T00:00:00Z", "to": null}}));
    let read = ada.get_at(&path, body["position"].as_i64().unwrap()).await.expect(200);
    assert_eq!((&read["title"], &read["description"], &read["priority"]), (&json!("T"), &json!("D"), &json!("high")));
    let estimated = ada.patch(&path, json!({"estimate_minutes": 90})).await.expect(200);
    assert_eq!(estimated["events"][0]["type"], "task.estimated");
    assert_eq!(estimated["events"][0]["changes"], json!({"estimate_minutes": {"from": null, "to": 90}}));
    ada.patch(&path, json!({"title": null})).await.problem(422, "validation-failed");
    app.finish().await;
}

#[tokio::test]
async fn columns_and_lifecycle_follow_each_other() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, [todo, doing, done]) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    let types = |body: &Value| -> Vec<String> {
        body["events"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap().to_owned()).collect()
    };
    let to = |column: &str| json!({"column_id": column});
    let path = format!("/v1/tasks/{task}/move");
    assert_eq!(types(&ada.post(&path, to(&doing)).await.expect(200)), ["task.moved", "task.started"]);
    assert_eq!(types(&ada.post(&path, to(&done)).await.expect(200)), ["task.moved", "task.completed"]);
    assert_eq!(types(&ada.post(&path, to(&doing)).await.expect(200)), ["task.moved", "task.reopened", "task.started"]);
    assert_eq!(types(&ada.post(&path, to(&todo)).await.expect(200)), ["task.moved", "task.reopened"]);
    let body = ada.post(&format!("/v1/tasks/{task}/complete"), json!({})).await.expect(200);
    assert_eq!(types(&body), ["task.completed", "task.moved"]);
    assert_eq!(body["events"][1]["changes"]["column_id"]["to"], json!(done));
    app.finish().await;
}

#[tokio::test]
async fn a_moved_task_is_between_its_neighbours() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, [todo, ..]) = ada.project("P").await;
    let mut tasks = Vec::new();
    for title in ["a", "b", "c", "d"] {
        tasks.push(ada.task(&project, title).await);
    }
    let move_to = async |task: &str, placement: Value| {
        let mut body = json!({"column_id": todo});
        body.as_object_mut().unwrap().extend(placement.as_object().unwrap().clone());
        ada.post(&format!("/v1/tasks/{task}/move"), body).await.expect(200)
    };
    move_to(&tasks[3], json!({"after": null})).await;
    move_to(&tasks[0], json!({"after": tasks[1]})).await;
    let last = move_to(&tasks[2], json!({"before": tasks[1]})).await;
    let nothing = move_to(&tasks[2], json!({"before": tasks[1]})).await;
    assert_eq!(nothing["events"], json!([]));
    let board =
        ada.get_at(&format!("/v1/projects/{project}/board"), last["position"].as_i64().unwrap()).await.expect(200);
    let titles: Vec<_> = board["columns"][0]["tasks"].as_array().unwrap().iter().map(|t| t["title"].clone()).collect();
    assert_eq!(titles, ["d", "c", "b", "a"]);
    let stranger = json!({"column_id": todo, "after": new_id()});
    ada.post(&format!("/v1/tasks/{}/move", tasks[0]), stranger).await.problem(422, "validation-failed");
    app.finish().await;
}

#[tokio::test]
async fn a_strict_precondition_refuses_an_edited_task_and_a_lenient_one_merges() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    let path = format!("/v1/tasks/{task}");
    ada.post(&format!("{path}/comments"), json!({"text": "no edit"})).await.expect(201);
    let based = |version: &str, prefer: &str, body: Value| {
        let request = ada.request(Method::PATCH, &path).header("if-match", version).header("prefer", prefer);
        ada.send(request.json(&body))
    };
    // The comment does not make a form stale.
    based("\"1\"", "", json!({"title": "Mine"})).await.expect(200);
    let refused = based("\"1\"", "", json!({"description": "D"})).await;
    assert_eq!(refused.problem(412, "version-conflict")["current_version"], 3);
    based("\"1\"", "handling=lenient", json!({"description": "D"})).await.expect(200);
    let conflict = based("\"1\"", "handling=lenient", json!({"title": "Other"})).await;
    let problem = conflict.problem(412, "version-conflict");
    assert_eq!(problem["conflicting_fields"], json!(["title"]));
    assert_eq!(problem["your_change"], json!({"title": "Other"}));
    assert_eq!(problem["base_version"], 1);
    assert_eq!(problem["conflicting_events"][0]["changes"]["title"], json!({"from": "T", "to": "Mine"}));
    based("\"99\"", "", json!({"title": "Future"})).await.problem(412, "version-conflict");
    based("7", "", json!({"title": "Unquoted"})).await.problem(400, "malformed");
    app.finish().await;
}

#[tokio::test]
async fn roles_have_their_permissions() {
    let app = App::start().await;
    let (ada, bea, cal, eve) =
        (app.person("ada").await, app.person("bea").await, app.person("cal").await, app.person("eve").await);
    let (project, _) = ada.project("P").await;
    let members = format!("/v1/projects/{project}/members");
    ada.put(&format!("{members}/{}", bea.user_id), json!({"role": "member"})).await.expect(201);
    ada.put(&format!("{members}/{}", cal.user_id), json!({"role": "viewer"})).await.expect(201);
    let task = ada.task(&project, "T").await;
    let path = format!("/v1/tasks/{task}");
    bea.patch(&path, json!({"title": "Bea's"})).await.expect(200);
    bea.patch(&format!("/v1/projects/{project}"), json!({"name": "No"})).await.problem(403, "forbidden");
    cal.patch(&path, json!({"title": "No"})).await.problem(403, "forbidden");
    eve.patch(&path, json!({"title": "No"})).await.problem(404, "not-found");
    eve.get(&path).await.problem(404, "not-found");
    app.anonymous().get(&path).await.problem(401, "unauthenticated");
    ada.put(&format!("{members}/{}", ada.user_id), json!({"role": "member"})).await.problem(409, "last-owner");
    ada.delete(&format!("{members}/{}", bea.user_id)).await.expect(200);
    bea.patch(&path, json!({"title": "Gone"})).await.problem(404, "not-found");
    cal.delete(&format!("{members}/{}", cal.user_id)).await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn a_full_column_with_an_enforced_limit_refuses_even_in_a_race() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let columns = json!([
        {"name": "Todo", "category": "todo"},
        {"name": "Doing", "category": "in_progress", "wip_limit": 2, "wip_policy": "enforced"}
    ]);
    let body = ada.post("/v1/projects", json!({"name": "P", "columns": columns})).await.expect(201);
    let project = body["id"].as_str().unwrap();
    let doing = body["events"][0]["changes"]["columns"]["to"][1]["id"].clone();
    let mut tasks = Vec::new();
    for i in 0..6 {
        tasks.push(ada.task(project, &format!("{i}")).await);
    }
    let moves = tasks.iter().map(|task| {
        let (ada, doing) = (ada.clone(), doing.clone());
        async move { ada.post(&format!("/v1/tasks/{task}/move"), json!({"column_id": doing})).await }
    });
    let answers = futures::future::join_all(moves).await;
    let (moved, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 200);
    assert_eq!(moved.len(), 2);
    for answer in refused {
        answer.problem(409, "wip-limit-reached");
    }
    let path = format!("/v1/projects/{project}/columns/{}", doing.as_str().unwrap());
    ada.delete(&path).await.problem(409, "column-not-empty");
    app.finish().await;
}

#[tokio::test]
async fn a_deleted_task_names_who_deleted_it_and_can_be_restored() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    let path = format!("/v1/tasks/{task}");
    ada.delete(&path).await.expect(200);
    let refused = ada.patch(&path, json!({"title": "No"})).await;
    assert_eq!(refused.problem(409, "task-deleted")["deleted_by"], ada.user_id);
    ada.post(&format!("{path}/restore"), json!({})).await.expect(200);
    ada.patch(&path, json!({"title": "Yes"})).await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn comments_and_checklists_keep_their_order() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (project, _) = ada.project("P").await;
    ada.put(&format!("/v1/projects/{project}/members/{}", bea.user_id), json!({"role": "member"})).await.expect(201);
    let task = ada.task(&project, "T").await;
    let path = format!("/v1/tasks/{task}");
    let comment = ada.post(&format!("{path}/comments"), json!({"text": "see @bea and @nobody"})).await.expect(201);
    assert_eq!(comment["events"][0]["changes"]["comment"]["to"]["mentions"], json!([bea.user_id]));
    let comment = format!("{path}/comments/{}", comment["created_id"].as_str().unwrap());
    bea.patch(&comment, json!({"text": "not mine"})).await.problem(403, "forbidden");
    ada.patch(&comment, json!({"text": "edited"})).await.expect(200);
    bea.delete(&comment).await.problem(403, "forbidden");

    let list = ada.post(&format!("{path}/checklists"), json!({"title": "Steps"})).await.expect(201);
    let items = format!("{path}/checklists/{}/items", list["created_id"].as_str().unwrap());
    let one = ada.post(&items, json!({"text": "one"})).await.expect(201)["created_id"].clone();
    ada.post(&items, json!({"text": "zero", "after": null})).await.expect(201);
    ada.post(&items, json!({"text": "two", "after": one, "done": true})).await.expect(201);
    let last = ada.patch(&format!("{items}/{}", one.as_str().unwrap()), json!({"after": null})).await.expect(200);
    let read = ada.get_at(&path, last["position"].as_i64().unwrap()).await.expect(200);
    let texts: Vec<_> = read["checklists"][0]["items"].as_array().unwrap().iter().map(|i| i["text"].clone()).collect();
    assert_eq!(texts, ["one", "zero", "two"]);
    assert_eq!(read["comment_count"], 1);
    app.finish().await;
}

#[tokio::test]
async fn a_page_of_another_origin_can_send_requests_with_a_token() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    let preflight = anonymous
        .request(Method::OPTIONS, "/v1/projects")
        .header("origin", "https://board.example.org")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,idempotency-key");
    let answer = anonymous.send(preflight).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, "*"));
    // `*` would not cover Authorization.
    assert!(answer.header("access-control-allow-headers").contains("authorization"));
    assert!(!answer.header("access-control-allow-methods").is_empty());
    let read =
        anonymous.send(anonymous.request(Method::GET, "/v1/me").header("origin", "https://board.example.org")).await;
    assert!(read.header("access-control-expose-headers").contains("taskfold-position"));
    app.finish().await;
}
