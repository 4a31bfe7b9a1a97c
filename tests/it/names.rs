//! Names and titles are one line of visible text; texts of several lines stay as people write them. Media types are one.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, App, now};

/// Texts that are no name.
const NO_NAMES: [&str; 9] = [
    "a\nb",
    "a\r\nb",
    "a\tb",
    "a\u{1b}[31mb",
    "a\u{2028}b",
    "gpj\u{202e}exe",
    "\u{2066}a\u{2069}",
    "\u{200b}",
    "\u{3164}",
];

/// Requests with a name: method, path, body and the pointer to the name.
fn requests(project: &str, task: &str, name: &str) -> Vec<(Method, String, Value, &'static str)> {
    let (of_project, of_task) = (format!("/v1/projects/{project}"), format!("/v1/tasks/{task}"));
    let username = format!("u{}", now().utc().timestamp_micros());
    vec![
        (
            Method::POST,
            "/v1/accounts".to_owned(),
            json!({"username": username, "display_name": name, "password": "correct horse battery"}),
            "/display_name",
        ),
        (Method::PATCH, "/v1/me".to_owned(), json!({"display_name": name}), "/display_name"),
        (Method::POST, "/v1/api-tokens".to_owned(), json!({"name": name, "access": "read"}), "/name"),
        (Method::POST, "/v1/teams".to_owned(), json!({"name": name}), "/name"),
        (Method::POST, "/v1/projects".to_owned(), json!({"name": name}), "/name"),
        (
            Method::POST,
            "/v1/projects".to_owned(),
            json!({"name": "P", "columns": [{"name": name, "category": "todo"}]}),
            "/columns/0/name",
        ),
        (Method::PATCH, of_project.clone(), json!({"name": name}), "/name"),
        (Method::POST, format!("{of_project}/columns"), json!({"name": name, "category": "todo"}), "/name"),
        (Method::POST, format!("{of_project}/labels"), json!({"name": name, "color": "red"}), "/name"),
        (Method::POST, format!("{of_project}/filters"), json!({"name": name, "query": ""}), "/name"),
        (Method::POST, "/v1/me/filters".to_owned(), json!({"project_id": project, "name": name, "query": ""}), "/name"),
        (Method::POST, format!("{of_project}/tasks"), json!({"title": name}), "/title"),
        (Method::PATCH, of_task.clone(), json!({"title": name}), "/title"),
        (Method::POST, format!("{of_task}/checklists"), json!({"title": name}), "/title"),
    ]
}

async fn send(actor: &Actor, (method, path, body, _): &(Method, String, Value, &str)) -> crate::harness::Answer {
    actor.send(actor.request(method.clone(), path).json(body)).await
}

#[tokio::test]
async fn names_are_one_line_of_visible_text() {
    let app = App::start().await;
    let (ada, project, task) = app.with_a_task().await;
    for name in NO_NAMES {
        for request in requests(&project, &task, name) {
            let answer = send(&ada, &request).await;
            let problem = answer.problem(422, "validation-failed");
            assert_eq!(problem["errors"][0]["pointer"], request.3, "{} {name:?}: {problem}", request.1);
        }
    }
    assert_eq!(app.head().await, 2, "nothing was appended");
    for name in ["计划 2026", "پروژه\u{200c}ها", "👩\u{200d}🚀 Überblick", "פרויקט\u{200f}!"] {
        for request in requests(&project, &task, name) {
            let answer = send(&ada, &request).await;
            assert!(answer.status.is_success(), "{} {name:?}: {}", request.1, answer.body);
        }
    }
    // These are texts of several lines.
    let lines = "a\n\tb\u{2028}c";
    let path = format!("/v1/tasks/{task}");
    ada.patch(&path, json!({"description": lines})).await.expect(200);
    let comment = ada.post(&format!("{path}/comments"), json!({"text": lines})).await.expect(201);
    assert_eq!(comment["events"][0]["changes"]["comment"]["to"]["text"], lines, "{comment}");
    app.finish().await;
}

/// Names of earlier versions can be read, and edited into others.
#[tokio::test]
async fn names_of_earlier_versions_stay_readable() {
    let app = App::start().await;
    let (ada, project, task) = app.with_a_task().await;
    let statements = [
        "UPDATE events SET words = array_replace(words, 'T', E'a\\nb\\u202e') WHERE position = 2",
        "UPDATE tasks SET title = E'a\\nb\\u202e'",
        "UPDATE task_documents d SET document = taskfold_task_document(t.title, t.description, t.label_ids) FROM tasks t WHERE t.task_id = d.task_id",
    ];
    for sql in statements {
        sqlx::query(sql).execute(&app.owner).await.unwrap();
    }
    let old = "a\nb\u{202e}";
    assert_eq!(ada.get(&format!("/v1/tasks/{task}")).await.expect(200)["title"], old);
    let feed = ada.get(&format!("/v1/projects/{project}/events?since=1")).await.expect(200);
    assert_eq!(feed["events"][0]["changes"]["title"]["to"], old, "{feed}");
    app.stop().await;
}

#[tokio::test]
async fn an_import_makes_names_fit_and_counts_them() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let board = json!({
        "id": "b", "name": "My\nboard", "lists": [{"id": "l", "name": "\u{202e}To do"}],
        "cards": [{"id": "c", "idList": "l", "name": "\u{200b}", "desc": "two\nlines", "idMembers": ["m"]}],
        "members": [{"id": "m", "username": "mo", "fullName": "Mo\u{202e}\nLark"}],
        "checklists": [{"id": "k", "idCard": "c", "name": "first\tsecond", "checkItems": []}], "actions": [],
    });
    let made = ada.post("/v1/imports?format=trello", board).await.expect(202);
    let path = format!("/v1/imports/{}", made["id"].as_str().unwrap());
    let done = crate::harness::eventually("the import has ended", || async {
        let import = ada.get(&path).await.expect(200);
        (import["state"] == "done").then_some(import)
    })
    .await;
    for kind in ["board", "list", "checklist"] {
        let skipped = done["skipped"]
            .as_array()
            .unwrap()
            .iter()
            .find(|s| s["kind"] == kind && s["reason"].as_str().unwrap().contains("made one line"));
        assert!(skipped.is_some(), "{kind}: {done}");
    }
    app.settle().await;
    let project = format!("/v1/projects/{}", done["project_id"].as_str().unwrap());
    let read = ada.get(&project).await.expect(200);
    assert_eq!((&read["name"], &read["columns"][0]["name"]), (&json!("My board"), &json!("To do")), "{read}");
    let board = ada.get(&format!("{project}/board")).await.expect(200);
    assert_eq!(board["columns"][0]["tasks"][0]["title"], "(untitled)", "{board}");
    let members = ada.get(&format!("{project}/members")).await.expect(200);
    assert!(members["items"].as_array().unwrap().iter().any(|m| m["display_name"] == "Mo Lark"), "{members}");
    app.finish().await;
}

#[tokio::test]
async fn two_media_types_are_refused_wherever_one_is_declared() {
    let app = App::start().await;
    let (ada, project, task) = app.with_a_task().await;
    let path = format!("/v1/tasks/{task}/attachments?file_name=f");
    let file = || ada.request(Method::POST, &path).body("x");
    for two in ["image/png, text/html", "image/png;, text/html", "image/png;a=\",\""] {
        let answer = ada.send(file().header("content-type", two)).await;
        assert_eq!(answer.problem(422, "validation-failed")["errors"][0]["pointer"], "/content_type", "{two}");
    }
    let twice = file().header("content-type", "image/png").header("content-type", "text/html");
    ada.send(twice).await.problem(422, "validation-failed");
    let form = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\nContent-Type: image/png, text/html\r\n\r\nx\r\n--b--\r\n";
    let request = ada.request(Method::POST, &format!("/v1/tasks/{task}/attachments")).body(form);
    let answer = ada.send(request.header("content-type", "multipart/form-data; boundary=b")).await;
    assert!(answer.status == 422 || answer.status == 400, "{}", answer.body);
    let upload = ada.request(Method::POST, &format!("/v1/tasks/{task}/uploads")).header("tus-resumable", "1.0.0");
    let metadata = "filename Zg==,filetype aW1hZ2UvcG5nLHRleHQvaHRtbA==";
    ada.send(upload.header("upload-length", 1).header("upload-metadata", metadata))
        .await
        .problem(422, "validation-failed");
    for two in ["application/json, text/plain", "application/json; x, text/html"] {
        let json = ada.request(Method::PATCH, &format!("/v1/projects/{project}")).body("{\"name\": \"Q\"}");
        ada.send(json.header("content-type", two)).await.problem(415, "unsupported-media-type");
    }
    assert_eq!(app.head().await, 2, "nothing was appended");
    app.finish().await;
}
