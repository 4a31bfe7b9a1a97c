//! Reads have what the log had when they arrived: a person's own write is in their next read, on any instance.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Actor, App, TestEnvironment};

/// Titles in a page, or of the cards of a board.
fn titles(page: &Value) -> Vec<&str> {
    let columns = page["columns"].as_array().into_iter().flatten();
    let cards = columns.filter_map(|column| column["tasks"].as_array()).flatten();
    cards.chain(page["items"].as_array().into_iter().flatten()).filter_map(|item| item["title"].as_str()).collect()
}

#[tokio::test]
async fn a_write_is_in_the_next_read_on_any_instance() {
    let environment = TestEnvironment::new().await;
    let (app, second) = (App::start_at(environment.clone()).await, App::start_at(environment).await);
    let ada = app.person("ada").await;
    let elsewhere = Actor { url: second.url.clone(), ..ada.clone() };
    let (project, _) = ada.project("P").await;
    let path = format!("/v1/projects/{project}");
    for n in 0..20 {
        let title = format!("task {n} gemsbok");
        let new = json!({"title": title, "assignee_ids": [ada.user_id], "due_at": "2090-01-10T12:00:00Z"});
        let lists = [
            format!("{path}/board"),
            format!("{path}/tasks?limit=200"),
            format!("{path}/calendar?from=2090-01-01&to=2090-02-01"),
            "/v1/me/tasks?limit=200".to_owned(),
            "/v1/search?q=gemsbok&limit=50".to_owned(),
        ];
        for (list, reader) in lists.iter().zip([&ada, &elsewhere].into_iter().cycle()) {
            let task = ada.post(&format!("{path}/tasks"), new.clone()).await.expect(201);
            let task = format!("/v1/tasks/{}", task["id"].as_str().unwrap());
            let page = reader.get(list).await.expect(200);
            assert!(titles(&page).contains(&title.as_str()), "{list}");
            ada.patch(&task, json!({"title": "renamed"})).await.expect(200);
            assert_eq!(reader.get(&task).await.expect(200)["title"], "renamed");
            ada.delete(&task).await.expect(200);
            assert!(!titles(&reader.get(list).await.expect(200)).contains(&"renamed"), "{list}");
        }
        let own = ada.project(&format!("own {n}")).await.0;
        let page = elsewhere.get("/v1/projects?limit=200").await.expect(200);
        assert!(page["items"].as_array().unwrap().iter().any(|item| item["id"] == *own), "{n}");
    }
    second.stop().await;
    app.finish().await;
}

#[tokio::test]
async fn a_stalled_projection_is_waited_for_a_second_once() {
    let app = App::start().await;
    let (ada, project, task) = app.with_a_task().await;
    app.settle().await;
    let blocked = app.block_projector().await;
    let at = app.head().await;
    ada.patch(&format!("/v1/tasks/{task}"), json!({"title": "new"})).await.expect(200);
    let timed = async |request: reqwest::RequestBuilder| {
        let asked = Instant::now();
        let answer = ada.send(request).await;
        assert_eq!(answer.position(), at, "what is there");
        answer.expect(200);
        asked.elapsed()
    };
    let get = |path: String| ada.request(reqwest::Method::GET, &path);
    let paths = [format!("/v1/tasks/{task}"), format!("/v1/projects/{project}/board"), "/v1/me/tasks".to_owned()];
    for path in &paths {
        assert!(timed(get(path.clone()).header("prefer", "wait=0")).await < Duration::from_millis(500), "{path}");
    }
    assert!(timed(get(paths[0].clone())).await >= Duration::from_millis(900));
    for path in &paths {
        assert!(timed(get(path.clone())).await < Duration::from_millis(500), "{path}");
    }
    blocked.rollback().await.unwrap();
    app.settle().await;
    assert_eq!(ada.get(&paths[0]).await.expect(200)["title"], "new");
    app.finish().await;
}
