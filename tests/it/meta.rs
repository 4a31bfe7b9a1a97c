//! `GET /v1/meta`: what a client can rely on without copying it.

use serde_json::{Value, json};

use crate::harness::{Actor, App};

#[tokio::test]
async fn limits_are_those_that_are_enforced() {
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
async fn roles_permit_what_reads_allow() {
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
    let events = ada.get_at(&format!("/v1/projects/{project}/events?since=0"), position).await.expect(200);
    for event in events["events"].as_array().unwrap() {
        assert!(meta["event_types"].as_array().unwrap().contains(&event["type"]), "{event}");
    }
    app.finish().await;
}
