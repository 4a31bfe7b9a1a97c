//! Full-text search of tasks and comments: ranking, permissions, input and cancellation.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection, PgPool};

use crate::harness::{Actor, App, eventually};

async fn find(actor: &Actor, query: &str) -> Vec<Value> {
    actor.get(&format!("/v1/search?{query}")).await.expect(200)["items"].as_array().unwrap().clone()
}

async fn titles(actor: &Actor, query: &str) -> Vec<String> {
    find(actor, query).await.iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn results_are_ordered_by_the_weight_of_their_matches() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let tasks = format!("/v1/projects/{project}/tasks");
    let label = json!({"name": "Login trouble", "color": "red"});
    let label = ada.post(&format!("/v1/projects/{project}/labels"), label).await.expect(201)["created_id"].clone();
    ada.post(&tasks, json!({"title": "Elsewhere", "description": "The login of <b>Zoë</b>"})).await.expect(201);
    ada.post(&tasks, json!({"title": "A login page"})).await.expect(201);
    let labeled = ada.post(&tasks, json!({"title": "Labeled", "label_ids": [label]})).await.expect(201);
    let talked = ada.task(&project, "Talked about").await;
    ada.post(&format!("/v1/tasks/{talked}/comments"), json!({"text": "login again"})).await.expect(201);
    app.settle().await;

    let found = find(&ada, "q=LOGIN").await;
    let found_titles: Vec<&Value> = found.iter().map(|item| &item["title"]).collect();
    // Among equal ranks, the last updated first.
    assert_eq!(found_titles, ["Labeled", "A login page", "Elsewhere", "Talked about"]);
    assert_eq!((&found[3]["kind"], &found[1]["kind"]), (&json!("comment"), &json!("task")));
    assert_eq!(found[1]["title_html"], "A <mark>login</mark> page");
    assert_eq!(found[2]["excerpt_html"], "The <mark>login</mark> of &lt;b&gt;Zoë&lt;/b&gt;");
    assert_eq!((&found[3]["excerpt_html"], &found[3]["task_id"]), (&json!("<mark>login</mark> again"), &json!(talked)));
    assert_eq!(titles(&ada, "q=log").await.len(), 4);
    assert_eq!(titles(&ada, "q=page%20log").await, ["A login page"]);
    assert_eq!(titles(&ada, "q=log%20page").await, Vec::<String>::new(), "only the last word may be a prefix");
    assert_eq!(titles(&ada, "q=zo%C3%AB").await, ["Elsewhere"]);
    assert_eq!(titles(&ada, "q=login&kind=comment").await, ["Talked about"]);
    assert_eq!(titles(&ada, "q=login&kind=task").await.len(), 3);
    assert_eq!(titles(&ada, "q=trouble").await, ["Labeled"]);

    // A renamed label is found by its new name; a removed one by none.
    let path = format!("/v1/projects/{project}/labels/{}", label.as_str().unwrap());
    ada.patch(&path, json!({"name": "Doors"})).await.expect(200);
    app.settle().await;
    assert_eq!((titles(&ada, "q=trouble").await.len(), titles(&ada, "q=doo").await), (0, vec!["Labeled".to_owned()]));
    let task = format!("/v1/tasks/{}", labeled["id"].as_str().unwrap());
    ada.patch(&task, json!({"title": "Renamed"})).await.expect(200);
    ada.delete(&path).await.expect(200);
    app.settle().await;
    assert_eq!((titles(&ada, "q=doors").await.len(), titles(&ada, "q=renamed").await.len()), (0, 1));
    assert_eq!(titles(&ada, "q=labeled").await.len(), 0);
    app.finish().await;
}

#[tokio::test]
async fn only_readable_tasks_that_are_not_deleted_are_found() {
    let app = App::start().await;
    let (ada, eve) = (app.person("ada").await, app.person("eve").await);
    let (project, _) = ada.project("P").await;
    let (other, _) = ada.project("Other").await;
    let (old, deleted) = (ada.task(&project, "secret old").await, ada.task(&project, "secret gone").await);
    ada.task(&project, "secret kept").await;
    ada.task(&other, "secret elsewhere").await;
    for task in [&old, &deleted] {
        ada.post(&format!("/v1/tasks/{task}/comments"), json!({"text": "secret"})).await.expect(201);
    }
    ada.post(&format!("/v1/tasks/{old}/archive"), json!({})).await.expect(200);
    ada.delete(&format!("/v1/tasks/{deleted}")).await.expect(200);
    app.settle().await;
    assert_eq!(titles(&ada, "q=secret").await.len(), 2);
    assert_eq!(titles(&ada, &format!("q=secret&project_id={project}")).await, ["secret kept"]);
    assert_eq!(titles(&ada, &format!("q=secret&archived=true&project_id={project}")).await.len(), 3);
    assert_eq!(titles(&eve, "q=secret").await.len(), 0);
    eve.get(&format!("/v1/search?q=secret&project_id={project}")).await.problem(404, "not-found");
    let token = ada.api_token(json!({"name": "one", "access": "read", "project_id": other})).await;
    assert_eq!(titles(&token, "q=secret").await, ["secret elsewhere"]);
    ada.post(&format!("/v1/tasks/{deleted}/restore"), json!({})).await.expect(200);
    app.settle().await;
    assert_eq!((titles(&ada, "q=gone").await.len(), titles(&ada, "q=secret").await.len()), (1, 4));
    app.finish().await;
}

#[tokio::test]
async fn any_query_text_is_searched_as_words() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    ada.task(&project, "it's a foo-bar of <script>alert(1)</script> \u{E000}\u{E001} 100% C:\\temp").await;
    for i in 0..9 {
        ada.task(&project, &format!("page {i}")).await;
    }
    app.settle().await;
    for q in ["'", "\\", "':*", "& | !", "<->", "a:*b", "foo'); DROP", "((", "\u{E000}", "%", "💥"] {
        let request = ada.request(Method::GET, "/v1/search").query(&[("q", q)]);
        ada.send(request).await.expect(200);
    }
    for (q, found) in [("it's", 1), ("foo-b", 1), ("foo", 1), ("alert", 1), ("C:\\te", 1), ("nothing", 0)] {
        let request = ada.request(Method::GET, "/v1/search").query(&[("q", q)]);
        let items = ada.send(request).await.expect(200)["items"].clone();
        assert_eq!(items.as_array().unwrap().len(), found, "{q}: {items}");
        assert!(!items.to_string().contains("title_html\":\"<script"), "{items}");
    }
    for q in ["", "%20", &"x".repeat(201), &"a%20".repeat(21)] {
        ada.get(&format!("/v1/search?q={q}")).await.problem(422, "validation-failed");
    }
    ada.get("/v1/search").await.problem(422, "validation-failed");
    let (mut seen, mut next) = (Vec::new(), "/v1/search?q=page&limit=2".to_owned());
    loop {
        let page = ada.get(&next).await.expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["task_id"].to_string()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("/v1/search?q=page&limit=2&cursor={cursor}");
    }
    let distinct: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (9, 9));
    app.finish().await;
}

/// Number of searches that PostgreSQL is running. PostgreSQL reports only the beginning of a long statement.
async fn searching(owner: &PgPool) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
         AND query LIKE '%ts_headline%' AND pid <> pg_backend_pid()",
    )
    .fetch_one(owner)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_search_ends_when_its_client_disconnects_or_at_its_deadline() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    ada.task(&project, "T").await;
    app.settle().await;
    // A search that cannot proceed, because the table is locked.
    let mut lock = PgConnection::connect(&app.database_url).await.unwrap();
    lock.execute("BEGIN; LOCK TABLE task_documents IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let began = Instant::now();
    ada.get("/v1/search?q=t").await.problem(503, "unavailable");
    assert!(began.elapsed() >= Duration::from_secs(2));

    let client = Actor { client: reqwest::Client::new(), ..ada.clone() };
    let asking = tokio::spawn(async move { client.get("/v1/search?q=t").await });
    eventually("the search waits", || async { (searching(&app.owner).await == 1).then_some(()) }).await;
    let began = Instant::now();
    asking.abort();
    let _ = asking.await;
    eventually("the search has ended", || async { (searching(&app.owner).await == 0).then_some(()) }).await;
    assert!(began.elapsed() < Duration::from_millis(1500), "it ended because its time was over: {:?}", began.elapsed());
    lock.execute("ROLLBACK").await.unwrap();
    assert_eq!(titles(&ada, "q=t").await, ["T"]);
    app.finish().await;
}
