//! Operations of the API, by the scope of a token: each operation of the documents is tried, so that a new one cannot be
//! forgotten.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{App, new_id};

/// Operations that a token with access `read` may use although their method is not a safe one.
const READ_ONLY: [&str; 2] = ["createStreamTicket", "changeStream"];
/// Operations without a caller.
const PUBLIC: [&str; 3] = ["createAccount", "signIn", "refreshSession"];
/// Operations on everything that the caller has, which a token for one project may use: they show that project alone.
const FILTERED: [&str; 7] =
    ["getMe", "listProjects", "listMyTasks", "listMyFilters", "listNotifications", "search", "getMeta"];

struct Operation {
    id: String,
    method: Method,
    path: String,
}

/// All operations of both documents, with the ids of a project and a task in their paths.
fn operations(project: &str, task: &str) -> Vec<Operation> {
    let documents =
        [include_str!("../../../openapi/command-api.json"), include_str!("../../../openapi/query-api.json")];
    let mut operations = Vec::new();
    for document in documents {
        let document: Value = serde_json::from_str(document).unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let Some(id) = operation["operationId"].as_str() else { continue };
                let mut filled = path.replace("{project_id}", project).replace("{task_id}", task);
                while let Some((before, rest)) = filled.clone().split_once('{') {
                    let (_, after) = rest.split_once('}').unwrap();
                    filled = format!("{before}{}{after}", new_id());
                }
                let method = method.to_uppercase().parse().unwrap();
                operations.push(Operation { id: id.to_owned(), method, path: filled });
            }
        }
    }
    assert!(operations.len() > 120, "{}", operations.len());
    operations
}

#[tokio::test]
async fn a_read_only_token_changes_nothing_by_any_operation() {
    let app = App::start().await;
    let (ada, project, task) = app.with_a_task().await;
    let reader = ada.api_token(json!({"name": "r", "access": "read", "delegates": true})).await;
    app.settle().await;
    let head = app.head().await;
    for Operation { id, method, path } in operations(&project, &task) {
        if method.is_safe() || READ_ONLY.contains(&id.as_str()) || PUBLIC.contains(&id.as_str()) {
            continue;
        }
        let answer = reader.send(reader.request(method.clone(), &path).json(&json!({}))).await;
        assert_eq!(answer.status, 403, "{id}: {method} {path}: {}", answer.body);
    }
    assert_eq!(app.head().await, head);
    app.finish().await;
}

#[tokio::test]
async fn a_token_for_one_project_reaches_nothing_else_by_any_operation() {
    let app = App::start().await;
    let (ada, other, task) = app.with_a_task().await;
    let (own, _) = ada.project("Own").await;
    let team = ada.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    ada.put(&format!("/v1/projects/{other}/teams/{team}"), json!({"role": "viewer"})).await.expect(201);
    app.settle().await;
    let body = json!({"name": "bot", "access": "write", "project_id": own, "delegates": true});
    let bot = ada.api_token(body).await;
    let head = app.head().await;
    for Operation { id, method, path } in operations(&other, &task) {
        if PUBLIC.contains(&id.as_str()) {
            continue;
        }
        let path = path.replace("{team_id}", &team);
        let query = match id.as_str() {
            "search" => "?q=task",
            "streamProjects" => "?me=true",
            _ => "",
        };
        let answer = bot.send(bot.request(method.clone(), &format!("{path}{query}")).json(&json!({}))).await;
        let (status, text) = (answer.status.as_u16(), answer.body.to_string());
        for secret in [&other, &task, &team] {
            assert!(!text.contains(secret.as_str()), "{id}: {method} {path}: {text}");
        }
        let is_open = FILTERED.contains(&id.as_str()) || id == "createStreamTicket" || id == "getJwks";
        assert!(is_open || (400..500).contains(&status), "{id}: {method} {path}: {status} {text}");
    }
    assert_eq!(app.head().await, head);
    app.finish().await;
}

#[tokio::test]
async fn a_stream_is_changed_only_by_the_token_that_opened_it() {
    let app = App::start().await;
    let (ada, project, _) = app.with_a_task().await;
    let (other, _) = ada.project("Other").await;
    app.settle().await;
    let token = async |name: &str| ada.api_token(json!({"name": name, "access": "read", "project_id": project})).await;
    let (opener, stranger) = (token("a").await, token("b").await);
    let path = format!("/v1/projects/{project}/events/stream");
    for (opened_by, others) in [(&opener, [&ada, &stranger]), (&ada, [&opener, &stranger])] {
        let mut stream = opened_by.stream(&path).await;
        let id = stream.next().await.unwrap().data["stream_id"].as_str().unwrap().to_owned();
        let change = format!("/v1/streams/{id}");
        for other in others {
            other.patch(&change, json!({})).await.problem(404, "not-found");
        }
        assert_eq!(opened_by.patch(&change, json!({})).await.expect(200)["projects"], json!([project]));
    }
    let mut stream = opener.stream(&path).await;
    let id = stream.next().await.unwrap().data["stream_id"].as_str().unwrap().to_owned();
    opener.patch(&format!("/v1/streams/{id}"), json!({"add": [other]})).await.problem(404, "not-found");
    app.finish().await;
}

#[tokio::test]
async fn a_token_of_another_project_does_not_reach_an_upload() {
    let app = App::start().await;
    let (ada, _, task) = app.with_a_task().await;
    let (other, _) = ada.project("Other").await;
    let token = ada.api_token(json!({"name": "t", "access": "write", "project_id": other})).await;
    let uploads = format!("/v1/tasks/{task}/uploads");
    let created = ada.send(ada.request(Method::POST, &uploads).header("upload-length", 5)).await;
    let upload = created.header("location").to_owned();
    created.expect(201);
    let reached = async |actor: &crate::harness::Actor, method: Method| {
        let request = actor.request(method, &upload).header("content-type", "application/offset+octet-stream");
        actor.send(request.header("upload-offset", 0).body("12345")).await.status
    };
    for method in [Method::GET, Method::HEAD, Method::PATCH, Method::DELETE] {
        assert_eq!(reached(&token, method.clone()).await, 404, "{method}");
        let by_override = token.request(Method::POST, &upload).header("x-http-method-override", method.as_str());
        assert!(token.send(by_override).await.status.is_client_error(), "{method}");
    }
    assert_eq!(reached(&ada, Method::PATCH).await, 204);
    for method in [Method::GET, Method::HEAD, Method::PATCH, Method::DELETE] {
        assert_eq!(reached(&token, method.clone()).await, 404, "{method}");
    }
    app.finish().await;
}
