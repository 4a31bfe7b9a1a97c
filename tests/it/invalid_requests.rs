//! Invalid requests to every route: the routes come from the OpenAPI documents, so that a new one is covered as soon as
//! it is added. Each gets a problem response of the contract; no request is executed in part; no internal detail is
//! shown.

use reqwest::Method;
use serde_json::{Value, json};
use taskfold_web::Code;

use crate::harness::{Actor, Answer, App, new_id};

pub struct Route {
    pub method: Method,
    pub path: String,
    /// Set if the route takes a JSON body.
    pub has_body: bool,
    pub needs_token: bool,
    query: Vec<String>,
    required_query: Vec<String>,
}

pub fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for document in [taskfold_command_api::document(), taskfold_query_api::document()] {
        let document = serde_json::to_value(document).unwrap();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let query = |required: bool| -> Vec<String> {
                    let in_query =
                        parameters.iter().filter(|p| p["in"] == "query" && (!required || p["required"] == true));
                    in_query.map(|p| p["name"].as_str().unwrap().to_owned()).collect()
                };
                routes.push(Route {
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.clone(),
                    has_body: operation["requestBody"]["content"].get("application/json").is_some(),
                    needs_token: operation.get("security").is_some(),
                    query: query(false),
                    required_query: query(true),
                });
            }
        }
    }
    assert!(routes.len() > 50);
    routes
}

/// A person with a project and a task, and another person who knows their ids.
pub struct Scene {
    pub app: App,
    pub ada: Actor,
    eve: Actor,
    pub project: String,
    pub task: String,
}

impl Scene {
    pub async fn new() -> Self {
        let app = App::start().await;
        let (ada, eve) = (app.person("ada").await, app.person("eve").await);
        let (project, _) = ada.project("Secret plans").await;
        let task = ada.task(&project, "Secret task").await;
        app.settle().await;
        Self { app, ada, eve, project, task }
    }

    /// The route's path, with real ids where they exist.
    pub fn path(&self, route: &Route) -> String {
        let mut path = route
            .path
            .replace("{project_id}", &self.project)
            .replace("{task_id}", &self.task)
            .replace("{emoji}", "%F0%9F%91%8D");
        while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
            path.replace_range(from..=to, &new_id().to_string());
        }
        if route.required_query.iter().any(|name| name == "format") {
            path.push_str("?format=trello");
        }
        if route.required_query.iter().any(|name| name == "from") {
            path.push_str("?from=2026-01-01&to=2026-02-01");
        }
        path
    }

    /// Checks that the requests appended nothing.
    async fn finish(self, head: i64) {
        assert_eq!(self.app.head().await, head, "a refused request was executed in part");
        self.app.finish().await;
    }
}

#[track_caller]
fn is_a_problem(answer: &Answer, what: &str) {
    let status = answer.status.as_u16();
    assert!((400..500).contains(&status), "{what}: {status} {}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json", "{what}: {}", answer.body);
    let code = answer.body["code"].as_str().unwrap_or_default();
    let known = Code::ALL.iter().find(|c| c.as_str() == code).unwrap_or_else(|| panic!("{what}: code {code}"));
    assert_eq!(status, known.status().as_u16(), "{what}");
    assert_eq!(answer.body["title"], known.title(), "{what}");
    let text = answer.body.to_string();
    for inner in ["sqlx", "postgres", "SELECT", "panicked", "src/", "Secret"] {
        assert!(!text.contains(inner), "{what} shows {inner}: {text}");
    }
}

#[tokio::test]
async fn requests_without_a_valid_token_reveal_nothing() {
    let scene = Scene::new().await;
    let head = scene.app.head().await;
    for route in routes().iter().filter(|r| r.needs_token) {
        let what = format!("{} {}", route.method, route.path);
        let anonymous = scene.app.anonymous();
        let answer = anonymous.send(anonymous.request(route.method.clone(), &scene.path(route))).await;
        is_a_problem(&answer, &what);
        answer.problem(401, "unauthenticated");
        let forger = Actor { token: Some("eyJhbGciOiJub25lIn0.e30.".to_owned()), ..anonymous };
        let answer = forger.send(forger.request(route.method.clone(), &scene.path(route))).await;
        answer.problem(401, "unauthenticated");
    }
    scene.finish(head).await;
}

#[tokio::test]
async fn resources_of_other_users_are_not_found() {
    let scene = Scene::new().await;
    // Ada's own token for another project has no access here.
    let (other, _) = scene.ada.project("Another").await;
    let stray = scene.ada.api_token(json!({"name": "stray", "access": "write", "project_id": other})).await;
    let head = scene.app.head().await;
    for route in routes().iter().filter(|r| r.path.contains("{project_id}") || r.path.contains("{task_id}")) {
        for (who, stranger) in [("Eve", &scene.eve), ("the token", &stray)] {
            let what = format!("{} {} by {who}", route.method, route.path);
            let answer = send_plausibly(stranger, route, &scene.path(route)).await;
            is_a_problem(&answer, &what);
            assert_eq!(answer.status, 404, "{what}: {}", answer.body);
        }
    }
    scene.finish(head).await;
}

#[tokio::test]
async fn a_read_only_token_cannot_change_anything() {
    let scene = Scene::new().await;
    let head = scene.app.head().await;
    let reader = scene.ada.api_token(json!({"name": "reader", "access": "read"})).await;
    for route in routes().iter().filter(|r| r.needs_token && r.method != Method::GET) {
        // Opening a stream is a read.
        if !["/v1/stream-tickets", "/v1/streams/{stream_id}"].contains(&route.path.as_str()) {
            let what = format!("{} {}", route.method, route.path);
            let answer = send_plausibly(&reader, route, &scene.path(route)).await;
            assert_eq!(answer.status, 403, "{what}: {}", answer.body);
            answer.problem(403, "forbidden");
        }
    }
    scene.finish(head).await;
}

async fn send_plausibly(actor: &Actor, route: &Route, path: &str) -> Answer {
    let request = actor.request(route.method.clone(), path);
    actor.send(if route.has_body { request.json(&plausible_body(route)) } else { request }).await
}

/// A body that is valid enough to be parsed.
fn plausible_body(route: &Route) -> Value {
    let path = route.path.as_str();
    let create = route.method == Method::POST;
    match path.rsplit('/').next().unwrap_or_default() {
        "tasks" => json!({"title": "T"}),
        "move" => json!({"column_id": new_id()}),
        "bulk" => json!({"command": {"type": "task.start", "data": {}}, "filter": {}}),
        "progress" => json!({"percent": 5}),
        "comments" | "items" => json!({"text": "t"}),
        "{comment_id}" => json!({"text": "t"}),
        "checklists" | "{checklist_id}" => json!({"title": "t"}),
        "columns" => json!({"name": "n", "category": "todo"}),
        "notification-preferences" => json!({"muted": []}),
        "read" => json!({"up_to": 1}),
        "{team_id}" => json!({"role": "member"}),
        "labels" if create => json!({"name": "n", "color": "red"}),
        "claim" => json!({"user_id": new_id()}),
        "{user_id}" | "invitations" => json!({"role": "member"}),
        "filters" if create && path.starts_with("/v1/me") => {
            json!({"project_id": new_id(), "name": "n", "query": "status=todo"})
        }
        "filters" if create => json!({"name": "n", "query": "status=todo"}),
        "presence" => json!({"device_id": "desk"}),
        "api-tokens" => json!({"name": "n", "access": "read"}),
        _ => json!({}),
    }
}

#[tokio::test]
async fn unreadable_bodies_are_refused() {
    let scene = Scene::new().await;
    let head = scene.app.head().await;
    let deep = "[".repeat(10_000);
    let bodies: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("not JSON", b"{\"title\": ".to_vec(), &[400]),
        ("not UTF-8", b"{\"title\": \"\xff\xfe\"}".to_vec(), &[400, 422]),
        ("an array", b"[]".to_vec(), &[422]),
        ("a number", b"7".to_vec(), &[422]),
        ("an unknown field", b"{\"titel\": \"T\"}".to_vec(), &[422]),
        ("deep", deep.into_bytes(), &[400, 422]),
        ("two values", b"{} {}".to_vec(), &[400, 422]),
        ("empty", b"".to_vec(), &[400, 422]),
        ("more than a MiB", format!("{{\"title\": \"{}\"}}", "x".repeat(1024 * 1024)).into_bytes(), &[413]),
    ];
    for route in routes().iter().filter(|r| r.has_body) {
        for (name, body, statuses) in &bodies {
            let what = format!("{} {} with {name}", route.method, route.path);
            let request = scene.ada.request(route.method.clone(), &scene.path(route));
            let answer = scene.ada.send(request.header("content-type", "application/json").body(body.clone())).await;
            is_a_problem(&answer, &what);
            // An import takes a document of another program, of up to 64 MiB: invalid content in it is tested
            // elsewhere.
            let import = route.path == "/v1/imports";
            assert!(import || statuses.contains(&answer.status.as_u16()), "{what}: {}", answer.body);
        }
        let request = scene.ada.request(route.method.clone(), &scene.path(route));
        let answer = scene.ada.send(request.header("content-type", "text/xml").body("<a/>")).await;
        answer.problem(415, "unsupported-media-type");
    }
    scene.finish(head).await;
}

#[tokio::test]
async fn invalid_values_are_refused_at_their_pointer() {
    let scene = Scene::new().await;
    let head = scene.app.head().await;
    let tasks = format!("/v1/projects/{}/tasks", scene.project);
    let cases = [
        (json!({"title": ""}), "/title"),
        (json!({"title": "   "}), "/title"),
        (json!({"title": 7}), "/title"),
        (json!({"title": "x".repeat(501)}), "/title"),
        (json!({"title": "a\u{0}b"}), "/title"),
        (json!({"title": "T", "description": "x".repeat(64 * 1024 + 1)}), "/description"),
        (json!({"title": "T", "id": "7"}), "/id"),
        (json!({"title": "T", "column_id": new_id()}), "/column_id"),
        (json!({"title": "T", "priority": "hot"}), "/priority"),
        (json!({"title": "T", "due_at": "tomorrow"}), "/due_at"),
        (json!({"title": "T", "due_at": "+12345-01-01T00:00:00Z"}), "/due_at"),
        (json!({"title": "T", "estimate_minutes": -1}), "/estimate_minutes"),
        (json!({"title": "T", "estimate_minutes": 1e300}), "/estimate_minutes"),
        (json!({"title": "T", "assignee_ids": [new_id()]}), "/assignee_ids/0"),
        (json!({"title": "T", "label_ids": [new_id()]}), "/label_ids/0"),
        (json!({"title": "T", "assignee_ids": vec![new_id(); 51]}), "/assignee_ids/0"),
    ];
    for (body, pointer) in cases {
        let answer = scene.ada.post(&tasks, body.clone()).await;
        assert_eq!(answer.problem(422, "validation-failed")["errors"][0]["pointer"], pointer, "{body}");
    }
    let ids = scene.ada.get("/v1/tasks/not-a-uuid").await;
    ids.problem(404, "not-found");
    let comments = format!("/v1/tasks/{}/comments", scene.task);
    let long = json!({"text": "x".repeat(16 * 1024 + 1)});
    scene.ada.post(&comments, long).await.problem(422, "validation-failed");
    scene.ada.post("/v1/projects", json!({"name": "P", "columns": []})).await.problem(422, "validation-failed");
    scene.finish(head).await;
}

#[tokio::test]
async fn invalid_query_parameters_are_refused() {
    let scene = Scene::new().await;
    let head = scene.app.head().await;
    for route in routes().iter().filter(|r| r.method == Method::GET && r.needs_token) {
        let path = scene.path(route);
        let mut queries = vec!["unknown=1".to_owned()];
        for name in &route.query {
            let bad: &[&str] = match name.as_str() {
                "limit" => &["0", "-1", "1001", "99999999999999999999", "x", ""],
                "cursor" => &["x", "%00", "////"],
                "since" | "min_position" => &["-1", "x", "99999999999999999999999"],
                "status" | "sort" | "priority" => &["x", "%ff"],
                "assignee_id" | "label_id" | "column_id" | "projects" => &["x"],
                "due_before" | "due_after" | "updated_since" | "from" | "to" => &["yesterday"],
                "column_limit" => &["0", "201", "x"],
                "tz" => &["Mars/Olympus", ""],
                "q" => &["%00"],
                _ => &[],
            };
            queries.extend(bad.iter().map(|value| format!("{name}={value}")));
        }
        for query in queries {
            let what = format!("GET {}?{query}", route.path);
            let answer = scene.ada.get(&format!("{path}?{query}")).await;
            is_a_problem(&answer, &what);
        }
    }
    let ahead = format!("/v1/projects/{}/events?since=1000000", scene.project);
    scene.ada.get(&ahead).await.problem(410, "cursor-ahead");
    scene
        .ada
        .get(&format!("/v1/projects/{}/events/stream?since=1000000", scene.project))
        .await
        .problem(410, "cursor-ahead");
    let behind = scene.ada.request(Method::GET, &format!("/v1/tasks/{}", scene.task));
    let behind = behind.header("taskfold-min-position", "1000000").header("prefer", "wait=0");
    let answer = scene.ada.send(behind).await;
    assert!(!answer.header("retry-after").is_empty());
    answer.problem(503, "read-model-behind");
    scene.finish(head).await;
}

#[tokio::test]
async fn unknown_paths_and_methods_and_oversized_headers_have_their_problems() {
    let scene = Scene::new().await;
    let head = scene.app.head().await;
    let ada = &scene.ada;
    ada.get("/v1/nothing").await.problem(404, "not-found");
    let answer = ada.send(ada.request(Method::DELETE, "/v1/projects")).await;
    assert!(answer.header("allow").contains("GET"), "{}", answer.header("allow"));
    answer.problem(405, "method-not-allowed");
    let giant = ada.request(Method::GET, "/v1/me").header("x-giant", "x".repeat(20_000));
    ada.send(giant).await.problem(431, "headers-too-large");
    scene.finish(head).await;
}

/// A declared length of two GiB is refused before the body is sent.
#[tokio::test]
async fn a_body_of_two_gib_is_refused_by_its_declared_length() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let scene = Scene::new().await;
    let head = scene.app.head().await;
    let address = scene.app.url.strip_prefix("http://").unwrap();
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST /v1/projects HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 2147483648\r\n\r\n{{",
        scene.ada.token.as_ref().unwrap()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let n = socket.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..n]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("payload-too-large"), "{answer}");
    scene.finish(head).await;
}

/// A refusal before the body is read leaves the connection usable for a client that sends the body after the headers.
/// The server asks for the body when the request is refused and the rest of it is to be read.
#[tokio::test]
async fn an_early_refusal_does_not_break_the_connection() {
    const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let scene = Scene::new().await;
    let head = scene.app.head().await;
    let address = scene.app.url.strip_prefix("http://").unwrap();
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        let headers = "POST /v1/projects HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\ncontent-length: 2000\r\n\
                       expect: 100-continue\r\n\r\n";
        socket.write_all(headers.as_bytes()).await.unwrap();
        let mut interim = [0; CONTINUE.len()];
        socket.read_exact(&mut interim).await.unwrap();
        assert_eq!(interim, CONTINUE, "{}", String::from_utf8_lossy(&interim));
        socket.write_all(&[b' '; 2000]).await.unwrap();
        let mut answer = vec![0; 4096];
        let n = socket.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..n]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("unauthenticated"), "{answer}");
    }
    scene.finish(head).await;
}

#[tokio::test]
async fn validation_errors_have_a_pointer_and_a_detail() {
    let scene = Scene::new().await;
    let head = scene.app.head().await;
    let tasks = format!("/v1/projects/{}/tasks", scene.project);
    let first_error = async |body: Value| {
        let answer = scene.ada.post(&tasks, body).await;
        let error = answer.problem(422, "validation-failed")["errors"][0].clone();
        (error["pointer"].as_str().unwrap().to_owned(), error["detail"].as_str().unwrap().to_owned())
    };
    let at = |pointer: &str, detail: &str| (pointer.to_owned(), detail.to_owned());
    assert_eq!(first_error(json!({})).await, at("/title", "is required"));
    assert_eq!(first_error(json!([])).await, at("", "must be an object"));
    assert_eq!(first_error(json!({"title": "T", "id": "nope"})).await, at("/id", "must be a UUID"));
    assert_eq!(
        first_error(json!({"title": "T", "estimate_minutes": 1.5})).await,
        at("/estimate_minutes", "must be a whole number")
    );
    let (pointer, detail) = first_error(json!({"title": "T", "colour": "red"})).await;
    assert_eq!(pointer, "/colour");
    assert!(detail.starts_with("unknown field `colour`; expected one of `id`, "), "{detail}");
    assert_eq!(
        first_error(json!({"title": "T", "priority": "hot"})).await,
        at("/priority", "must be one of `none`, `low`, `medium`, `high`, `urgent`")
    );
    let other = scene.eve.project("Eve's").await.0;
    let foreign_task = scene.eve.task(&other, "T").await;
    assert_eq!(first_error(json!({"title": "T", "parent_id": foreign_task})).await.0, "/parent_id");
    scene.finish(head + 2).await;
}
