//! `GET /v1/meta`: what a client can rely on without copying it.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Actor, App};

#[tokio::test]
async fn published_limits_are_enforced() {
    let app = App::start().await;
    let meta = Actor::anonymous(&app.url).get("/v1/meta").await;
    let log = meta.header("taskfold-log").to_owned();
    let meta = meta.expect(200);
    assert_eq!(meta["log"], json!({"id": log, "epoch": 0}));
    let limit = |name: &str| usize::try_from(meta["limits"][name]["value"].as_u64().unwrap()).unwrap();
    assert_eq!(meta["limits"]["title_chars"]["unit"], "characters");
    assert_eq!(limit("presence_seconds"), 30);

    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let tasks = format!("/v1/projects/{project}/tasks");
    for (length, status) in [(limit("title_chars"), 201), (limit("title_chars") + 1, 422)] {
        // Two bytes each: the unit is characters.
        ada.post(&tasks, json!({"title": "é".repeat(length)})).await.expect(status);
    }
    let task = ada.task(&project, "T").await;
    for (bytes, status) in [(limit("comment_bytes"), 201), (limit("comment_bytes") + 1, 422)] {
        ada.post(&format!("/v1/tasks/{task}/comments"), json!({"text": "x".repeat(bytes)})).await.expect(status);
    }
    for (size, status) in [(limit("page_max"), 200), (limit("page_max") + 1, 422)] {
        ada.get(&format!("/v1/projects?limit={size}")).await.expect(status);
    }
    for (size, status) in [(limit("changes_max"), 200), (limit("changes_max") + 1, 422)] {
        ada.get(&format!("/v1/projects/{project}/events?since=0&limit={size}")).await.expect(status);
    }
    app.finish().await;
}

#[tokio::test]
async fn allowed_actions_of_reads_match_the_roles() {
    let app = App::start().await;
    let people = [
        ("owner", app.person("ada").await),
        ("admin", app.person("bo").await),
        ("member", app.person("cy").await),
        ("viewer", app.person("di").await),
    ];
    let ada = &people[0].1;
    let meta = ada.get("/v1/meta").await.expect(200);
    let (project, _) = ada.project("P").await;
    for (role, person) in &people[1..] {
        let path = format!("/v1/projects/{project}/members/{}", person.user_id);
        ada.put(&path, json!({"role": role})).await.expect(201);
    }
    let task = format!("/v1/tasks/{}", ada.task(&project, "T").await);
    let position = ada.post(&format!("{task}/start"), json!({})).await.position();

    let role_of = |role: &str| -> &Value {
        meta["roles"].as_array().unwrap().iter().find(|entry| entry["role"] == role).unwrap()
    };
    for (role, person) in &people {
        let read = person.get_at(&task, position).await.expect(200);
        assert_eq!(read["allowed_commands"], role_of(role)["task"]["running"], "{role}");
        let read = person.get_at(&format!("/v1/projects/{project}"), position).await.expect(200);
        assert_eq!(read["allowed_commands"], role_of(role)["project"]["active"], "{role}");
    }
    let position = ada.post(&format!("{task}/archive"), json!({})).await.position();
    for (role, person) in &people {
        let read = person.get_at(&task, position).await.expect(200);
        assert_eq!(read["allowed_commands"], role_of(role)["archived_task"]["running"], "{role}");
    }
    let events = ada.get_at(&format!("/v1/projects/{project}/events?since=0"), position).await.expect(200);
    for event in events["events"].as_array().unwrap() {
        assert!(meta["event_types"].as_array().unwrap().contains(&event["type"]), "{event}");
    }
    app.finish().await;
}

/// Status line of the response to a request whose headers have this many bytes, names and values together.
async fn status_with_headers(app: &App, bytes: usize) -> String {
    let mut socket = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let filler = "x".repeat(bytes - "hostaconnectionclosex".len());
    let request = format!("GET /v1/meta HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: {filler}\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn headers_may_be_as_long_as_it_says() {
    let app = App::start().await;
    let meta = Actor::anonymous(&app.url).get("/v1/meta").await.expect(200);
    let max = usize::try_from(meta["limits"]["header_bytes"]["value"].as_u64().unwrap()).unwrap();
    assert_eq!(status_with_headers(&app, max).await, "HTTP/1.1 200 OK");
    assert_eq!(status_with_headers(&app, max + 1).await, "HTTP/1.1 431 Request Header Fields Too Large");
    app.finish().await;
}
