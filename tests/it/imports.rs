//! Imports of Trello boards.

use serde_json::{Value, json};

use crate::harness::{Actor, Answer, App, NetworkProxy, TestEnvironment, eventually};

/// A small board in the format of Trello's exports: newest action first, and one card whose creation is missing.
fn board() -> Value {
    let action = |minute: u32, kind: &str, data: Value| {
        json!({"id": format!("action{minute}"), "type": kind, "date": format!("2020-01-01T10:{minute:02}:00.000Z"),
               "idMemberCreator": "member1", "data": data})
    };
    json!({
        "id": "5e0c7d000000000000000000", "name": "House", "desc": "", "closed": false,
        "lists": [{"id": "list2", "name": "Done", "pos": 200, "closed": false},
                  {"id": "list1", "name": "Ideas", "pos": 100, "closed": false}],
        "labels": [{"id": "label1", "name": "loud", "color": "red"}],
        "members": [{"id": "member1", "username": "Noisy_Heron", "fullName": "Noisy Heron"}],
        "cards": [
            {"id": "card1", "idList": "list2", "pos": 65535, "name": "Paint", "desc": "", "closed": false,
             "idLabels": ["label1"], "idMembers": ["member1"], "due": "2020-02-01T12:00:00.000Z"},
            {"id": "card2", "idList": "list1", "pos": 3, "name": "Sweep", "desc": "", "closed": false},
            {"id": "card3", "idList": "list1", "pos": 2, "name": "Mow", "desc": "", "closed": true}
        ],
        "checklists": [{"id": "check1", "idCard": "card1", "name": "Steps", "checkItems": [
            {"id": "item1", "name": "buy paint", "state": "complete", "pos": 1}]}],
        "actions": [
            action(6, "voteOnCard", json!({"card": {"id": "card1"}})),
            action(5, "commentCard", json!({"card": {"id": "card1"}, "text": "blue it is"})),
            action(4, "updateCard", json!({"card": {"id": "card1", "idList": "list2"}, "old": {"idList": "list1"}})),
            action(3, "addMemberToCard", json!({"card": {"id": "card1"}, "idMember": "member1"})),
            action(2, "createCard", json!({"card": {"id": "card2", "name": "Sweep"}, "list": {"id": "list1"}})),
            action(1, "createCard", json!({"card": {"id": "card1", "name": "Paint"}, "list": {"id": "list1"}})),
        ],
    })
}

async fn import(actor: &Actor, query: &str, board: &Value) -> Value {
    let answer: Answer = actor.post(&format!("/v1/imports?format=trello{query}"), board.clone()).await;
    let location = answer.header("location").to_owned();
    assert_eq!(location, format!("/v1/imports/{}", answer.expect(202)["id"].as_str().unwrap()));
    let ended = eventually("the import ends", || async {
        let import = actor.get(&location).await.expect(200);
        ["done", "failed"].contains(&import["state"].as_str().unwrap()).then_some(import)
    });
    let import = ended.await;
    assert_eq!((&import["state"], &import["done"]), (&json!("done"), &import["total"]), "{import}");
    import
}

#[tokio::test]
async fn a_board_is_imported_once_with_its_times_and_authors() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let done = import(&ada, "", &board()).await;
    assert_eq!(done["total"], 6);
    let skipped: Vec<_> = done["skipped"].as_array().unwrap().iter().map(|s| (&s["kind"], &s["count"])).collect();
    assert_eq!(skipped, [(&json!("card"), &json!(1)), (&json!("list"), &json!(2)), (&json!("voteOnCard"), &json!(1))]);
    let project = done["project_id"].as_str().unwrap();

    let head = app.head().await;
    let shown = ada.get_at(&format!("/v1/projects/{project}/board"), head).await.expect(200);
    let columns = shown["columns"].as_array().unwrap();
    let titles = |i: usize| {
        columns[i]["tasks"].as_array().unwrap().iter().map(|t| t["title"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((&columns[0]["name"], &columns[1]["name"]), (&json!("Ideas"), &json!("Done")));
    assert_eq!((titles(0), titles(1)), (vec!["Sweep"], vec!["Paint"]), "the archived card is off the board");
    let members = ada.get(&format!("/v1/projects/{project}/members")).await.expect(200);
    let heron = members["items"].as_array().unwrap().iter().find(|m| m["username"] == "~noisy-heron").unwrap();
    let paint = &columns[1]["tasks"][0];
    assert_eq!(paint["assignee_ids"], json!([heron["user_id"]]));
    let value = |field: &str| &paint[field];
    assert_eq!(
        (value("status"), value("comment_count"), value("checklist_done")),
        (&json!("completed"), &json!(1), &json!(1))
    );

    let events = ada.get(&format!("/v1/projects/{project}/events?since=0&limit=1000")).await.expect(200);
    let comment = events["events"].as_array().unwrap().iter().find(|e| e["type"] == "task.commented").unwrap();
    assert_eq!((&comment["actor_id"], &comment["occurred_at"]), (&heron["user_id"], &json!("2020-01-01T10:05:00Z")));

    import(&ada, "", &board()).await;
    let mut older = board();
    older["actions"] = json!([board()["actions"][5]]);
    older["cards"][0]["name"] = json!("Paint?");
    import(&ada, "", &older).await;
    assert_eq!(app.head().await, head, "the same and an older export change nothing");
    app.finish().await;
}

#[tokio::test]
async fn an_import_is_private_to_its_caller_and_needs_a_role_in_the_project() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (project, columns) = ada.project("Mine").await;
    let into = format!("&project_id={project}");
    bea.post(&format!("/v1/imports?format=trello{into}"), board()).await.problem(404, "not-found");
    ada.put(&format!("/v1/projects/{project}/members/{}", bea.user_id), json!({"role": "member"})).await;
    bea.post(&format!("/v1/imports?format=trello{into}"), board()).await.problem(403, "forbidden");
    let done = import(&ada, &into, &board()).await;
    assert_eq!(done["project_id"], json!(project));
    bea.get(&format!("/v1/imports/{}", done["id"].as_str().unwrap())).await.problem(404, "not-found");
    let head = app.head().await;
    let shown = ada.get_at(&format!("/v1/projects/{project}"), head).await.expect(200);
    assert_eq!(shown["name"], "Mine");
    let ids: Vec<_> = shown["columns"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert_eq!((&ids[..3], ids.len()), (&columns.each_ref().map(String::as_str)[..], 5));
    app.finish().await;
}

#[tokio::test]
async fn a_document_that_is_not_a_board_is_refused() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let path = "/v1/imports?format=trello";
    let broken = ada.request(reqwest::Method::POST, path).header("content-type", "application/json").body("{");
    ada.send(broken).await.problem(400, "malformed");
    ada.post(path, json!([])).await.problem(422, "validation-failed");
    ada.post(path, json!({"id": "x", "lists": []})).await.problem(422, "validation-failed");
    ada.post("/v1/imports?format=jira", board()).await.problem(422, "validation-failed");
    ada.post("/v1/imports?format=trello&project_id=7", board()).await.problem(422, "validation-failed");
    app.anonymous().post(path, board()).await.problem(401, "unauthenticated");
    app.finish().await;
}

#[tokio::test]
async fn imports_continue_when_connections_stop_responding() {
    let environment = TestEnvironment::new().await;
    let proxy = NetworkProxy::to_postgres(&environment.database_url).await;
    let app =
        App::start_at(TestEnvironment { database_url: proxy.database_url(&environment.database_url), ..environment })
            .await;
    let ada = app.person("ada").await;
    let mut long = board();
    let actions = long["actions"].as_array_mut().unwrap();
    // The import takes some seconds, and reports its progress every second.
    for n in 0..1200 {
        let comment = json!({"id": format!("more{n}"), "type": "commentCard", "date": "2020-01-01T11:00:00.000Z",
                             "idMemberCreator": "member1", "data": {"card": {"id": "card1"}, "text": format!("{n}")}});
        actions.insert(0, comment);
    }
    let location = ada.post("/v1/imports?format=trello", long).await.header("location").to_owned();
    let progress = async || {
        let answer = ada.get(&location).await;
        (answer.status == 200).then_some(answer.body)
    };
    let beyond = async |done: i64| progress().await.filter(|import| import["done"].as_i64() > Some(done));
    let middle = eventually("it is in the middle", || beyond(20)).await;
    assert_eq!(middle["state"], "running");
    proxy.silence_open_connections();
    let before = middle["done"].as_i64().unwrap() + 400;
    eventually("it continues", || beyond(before)).await;
    let done = eventually("it ends", || async { progress().await.filter(|import| import["state"] != "running") }).await;
    assert_eq!((&done["state"], &done["total"]), (&json!("done"), &json!(1206)), "{done}");
    // The worker continues with the next import.
    let mut next = board();
    next["id"] = json!("5e0c7d000000000000000001");
    import(&ada, "", &next).await;
    app.finish().await;
}
