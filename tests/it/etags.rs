//! ETags identify the whole response, and so also the caller. The reads come from the OpenAPI document: a new one fails
//! here until its path can be filled in.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, App};

/// A path to read, by its operation.
struct Read {
    operation: String,
    path: String,
}

/// All reads but streams, with these ids in their paths.
fn reads(ids: &[(&str, &str)]) -> Vec<Read> {
    let document = serde_json::to_value(taskfold_query_api::document()).unwrap();
    let mut reads = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(get) = methods.get("get") else { continue };
        let operation = get["operationId"].as_str().unwrap().to_owned();
        if get["responses"]["200"]["content"].get("text/event-stream").is_some() {
            continue;
        }
        let path = ids.iter().fold(path.clone(), |path, (name, id)| path.replace(name, id));
        assert!(!path.contains('{'), "{operation} is new: state here the values for {path}");
        let query = match operation.as_str() {
            "getCalendar" => "?from=2099-11-01&to=2099-12-01&tz=Europe/Berlin",
            "search" => "?q=write",
            _ => "",
        };
        reads.push(Read { operation, path: format!("{path}{query}") });
    }
    assert!(reads.len() > 20);
    reads
}

/// Content that the tag must identify: all but the position of the log.
fn shown(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    for name in ["position", "head"] {
        body.as_object_mut().map(|body| body.remove(name));
    }
    body
}

async fn ask(actor: &Actor, path: &str, tag: &str) -> Answer {
    actor.send(actor.request(Method::GET, path).header("if-none-match", tag)).await
}

#[tokio::test]
async fn a_tag_of_another_user_never_matches() {
    let app = App::start().await;
    let (ada, bo, cy) = (app.person("ada").await, app.person("bo").await, app.person("cy").await);
    let (project, _) = ada.project("P").await;
    let path = format!("/v1/projects/{project}");
    ada.put(&format!("{path}/members/{}", bo.user_id), json!({"role": "viewer"})).await.expect(201);
    let team = ada.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    ada.put(&format!("/v1/teams/{team}/members/{}", cy.user_id), json!({"role": "member"})).await.expect(201);
    ada.put(&format!("{path}/teams/{team}"), json!({"role": "member"})).await.expect(201);
    let task = json!({"title": "write", "due_at": "2099-11-20T23:30:00Z", "assignee_ids": [bo.user_id]});
    let task = ada.post(&format!("{path}/tasks"), task).await.expect(201)["id"].as_str().unwrap().to_owned();
    let comment = json!({"text": "write, @bo and @cy"});
    let comment = cy.post(&format!("/v1/tasks/{task}/comments"), comment).await.expect(201);
    let file = ada.request(Method::POST, &format!("/v1/tasks/{task}/attachments?file_name=a.txt")).body("a");
    let file = ada.send(file.header("content-type", "text/plain")).await.expect(201);
    // Assignees are notified, unless they unsubscribe.
    bo.delete(&format!("/v1/tasks/{task}/watch")).await.expect(200);
    bo.put(&format!("{path}/watch"), Value::Null).await.expect(200);
    app.settle().await;
    bo.post("/v1/me/filters", json!({"project_id": project, "name": "F", "query": ""})).await.expect(201);
    let link = ada.post(&format!("{path}/calendar-links"), json!({})).await.expect(201);
    let link = link["url_path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();

    let made = |reply: &Value| reply["created_id"].as_str().unwrap().to_owned();
    let (comment, file) = (made(&comment), made(&file));
    let ids = [
        ("{project_id}", project.as_str()),
        ("{task_id}", &task),
        ("{comment_id}", &comment),
        ("{attachment_id}", &file),
        ("{team_id}", &team),
        ("{file}", &link),
    ];
    let mut differ = Vec::new();
    for Read { operation, path } in reads(&ids) {
        let people = [&ada, &bo, &cy];
        let mut answers = Vec::new();
        for person in people {
            let answer = person.get(&path).await;
            let vary: Vec<&str> = answer.headers.get_all("vary").iter().map(|v| v.to_str().unwrap()).collect();
            assert!(vary.join(",").contains("authorization"), "{operation}: {vary:?}");
            answers.push(answer);
        }
        for (answer, person) in answers.iter().zip(people) {
            assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
            let tag = answer.header("etag");
            assert!(!tag.is_empty(), "{operation} has no tag");
            assert_eq!(ask(person, &path, tag).await.status, 304, "{operation} by the same user");
            for (theirs, other) in answers.iter().zip(people) {
                if shown(theirs) != shown(answer) {
                    assert_eq!(ask(other, &path, tag).await.status, 200, "{operation} with the tag of another user");
                    differ.push(operation.clone());
                }
            }
        }
    }
    for operation in
        ["getBoard", "getTask", "getProject", "listTasks", "getCalendar", "getTeam", "listProjects", "getMe"]
    {
        assert!(differ.iter().any(|o| o == operation), "{operation} returns the same to everyone, which tests nothing");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_tag_changes_with_the_callers_role_and_the_query() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let (project, _) = ada.project("P").await;
    let path = format!("/v1/projects/{project}");
    let team = ada.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    ada.put(&format!("{path}/members/{}", bo.user_id), json!({"role": "viewer"})).await.expect(201);
    ada.put(&format!("{path}/teams/{team}"), json!({"role": "admin"})).await.expect(201);
    let task = ada.task(&project, "T").await;
    app.settle().await;
    let paths = [format!("{path}/tasks"), format!("/v1/tasks/{task}"), path.clone(), format!("{path}/members")];
    let mut tags = Vec::new();
    for path in &paths {
        tags.push(bo.get(path).await.header("etag").to_owned());
    }
    // Nothing changes in the project, and the caller's rights in it increase.
    ada.put(&format!("/v1/teams/{team}/members/{}", bo.user_id), json!({"role": "member"})).await.expect(201);
    app.settle().await;
    for (path, tag) in paths.iter().zip(&tags) {
        assert_eq!(ask(&bo, path, tag).await.status, 200, "{path}");
    }
    // The query is part of the tag of a list as well.
    let list = ada.get(&format!("{path}/tasks")).await;
    assert_eq!(ask(&ada, &format!("{path}/tasks?status=completed"), list.header("etag")).await.status, 200);
    assert_eq!(ask(&ada, &format!("{path}/tasks?min_position=1"), list.header("etag")).await.status, 304);
    let calendar = ada.get(&format!("{path}/calendar.ics")).await;
    assert_eq!(ask(&ada, &format!("{path}/calendar.ics?as=vevent"), calendar.header("etag")).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn if_match_accepts_the_tag_of_a_read_and_a_version() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = format!("/v1/tasks/{}", ada.task(&project, "T").await);
    app.settle().await;
    let edit = async |path: &str, tag: &str, body: Value| {
        ada.send(ada.request(Method::PATCH, path).header("if-match", tag).json(&body)).await
    };
    let read = ada.get(&task).await.header("etag").to_owned();
    assert!(read.starts_with("\"1."), "{read}");
    let edited = edit(&task, &read, json!({"title": "by what was read"})).await;
    let reply = edited.header("etag").to_owned();
    edited.expect(200);
    edit(&task, &read, json!({"title": "stale"})).await.problem(412, "version-conflict");
    edit(&task, &reply, json!({"title": "by the reply"})).await.expect(200);
    edit(&task, "\"3\"", json!({"title": "by hand"})).await.expect(200);
    let path = format!("/v1/projects/{project}");
    let read = ada.get(&path).await.header("etag").to_owned();
    edit(&path, &read, json!({"name": "by what was read"})).await.expect(200);
    edit(&path, &read, json!({"name": "stale"})).await.problem(412, "version-conflict");
    app.finish().await;
}
