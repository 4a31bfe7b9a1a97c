//! Teams, and the roles that they give their members in projects.

use serde_json::{Value, json};

use crate::harness::{Actor, App, TestEnvironment, eventually};

async fn team(owner: &Actor, members: &[&Actor]) -> String {
    let id = owner.post("/v1/teams", json!({"name": "Design"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    for member in members {
        let path = format!("/v1/teams/{id}/members/{}", member.user_id);
        owner.put(&path, json!({"role": "member"})).await.expect(201);
    }
    id
}

#[tokio::test]
async fn a_member_has_the_highest_of_their_own_role_and_those_of_their_teams() {
    let app = App::start().await;
    let (ada, bo, eve) = (app.person("ada").await, app.person("bo").await, app.person("eve").await);
    let (project, _) = ada.project("P").await;
    let path = format!("/v1/projects/{project}");
    let team = team(&ada, &[&bo]).await;
    bo.post(&format!("{path}/tasks"), json!({"title": "T"})).await.problem(404, "not-found");
    // Only a member of a team can add it to a project.
    let foreign = eve.post("/v1/teams", json!({"name": "Eve's"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    ada.put(&format!("{path}/teams/{foreign}"), json!({"role": "member"})).await.problem(404, "not-found");
    let reply = ada.put(&format!("{path}/teams/{team}"), json!({"role": "member"})).await.expect(201);
    assert_eq!(reply["events"][0]["type"], "project.team_added");
    assert_eq!(reply["events"][0]["changes"]["team"]["to"], json!({"team_id": team, "role": "member"}));

    let made = bo.post(&format!("{path}/tasks"), json!({"title": "T", "assignee_ids": [bo.user_id]})).await.expect(201);
    let position = made["position"].as_i64().unwrap();
    let seen = bo.get_at(&path, position).await.expect(200);
    assert_eq!(seen["my_role"], "member");
    let may = seen["allowed_commands"].as_array().unwrap();
    assert!(may.contains(&json!("create_task")) && !may.contains(&json!("edit")), "{may:?}");
    // A viewer by their own role, and a member through the team: a member.
    ada.put(&format!("{path}/members/{}", bo.user_id), json!({"role": "viewer"})).await.expect(201);
    let last = bo.post(&format!("{path}/tasks"), json!({"title": "U"})).await.expect(201)["position"].as_i64().unwrap();
    let members = ada.get_at(&format!("{path}/members"), last).await.expect(200);
    let of_bo = members["items"].as_array().unwrap().iter().find(|m| m["username"] == "bo").unwrap().clone();
    assert_eq!(
        (&of_bo["role"], &of_bo["own_role"], &of_bo["team_ids"]),
        (&json!("member"), &json!("viewer"), &json!([team]))
    );
    assert_eq!(ada.get_at(&format!("{path}/teams"), last).await.expect(200)["items"][0]["member_count"], 2);

    ada.delete(&format!("{path}/members/{}", bo.user_id)).await.expect(200);
    ada.delete(&format!("/v1/teams/{team}/members/{}", bo.user_id)).await.expect(200);
    bo.post(&format!("{path}/tasks"), json!({"title": "V"})).await.problem(404, "not-found");
    let head = app.head().await;
    bo.get_at(&path, head).await.problem(404, "not-found");
    app.finish().await;
}

#[tokio::test]
async fn a_team_keeps_an_owner_and_only_owners_change_it() {
    let app = App::start().await;
    let (ada, bo, eve) = (app.person("ada").await, app.person("bo").await, app.person("eve").await);
    let team = team(&ada, &[&bo]).await;
    let path = format!("/v1/teams/{team}");
    ada.delete(&format!("{path}/members/{}", ada.user_id)).await.problem(409, "last-owner");
    ada.put(&format!("{path}/members/{}", ada.user_id), json!({"role": "member"})).await.problem(409, "last-owner");
    bo.patch(&path, json!({"name": "Mine"})).await.problem(403, "forbidden");
    eve.patch(&path, json!({"name": "Mine"})).await.problem(404, "not-found");
    let renamed = ada.patch(&path, json!({"name": "UX"})).await.expect(200);
    let change = &renamed["events"][0];
    assert_eq!((&change["project_id"], &change["subject"]["kind"]), (&Value::Null, &json!("team")));
    let feed = bo.get_at(&format!("{path}/events?since=1"), app.head().await).await.expect(200);
    let kinds: Vec<&str> = feed["events"].as_array().unwrap().iter().map(|c| c["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["team.member_added", "team.renamed"]);
    eve.get(&format!("{path}/events")).await.problem(404, "not-found");
    // Live on the channel `me`, up to the person's own leaving.
    let mut stream = bo.stream("/v1/stream?me=true&since=1").await;
    assert_eq!(stream.next().await.unwrap().event, "hello");
    assert_eq!(stream.next().await.unwrap().event, "team.member_added");
    assert_eq!(stream.next().await.unwrap().event, "team.renamed");
    ada.patch(&path, json!({"name": "UI"})).await.expect(200);
    assert_eq!(stream.next().await.unwrap().event, "team.renamed");
    bo.delete(&format!("{path}/members/{}", bo.user_id)).await.expect(200);
    assert_eq!(stream.next().await.unwrap().event, "team.member_removed");
    let head = app.head().await;
    assert_eq!(ada.get_at(&path, head).await.expect(200)["member_count"], 1);
    bo.get_at(&path, head).await.problem(404, "not-found");
    ada.delete(&path).await.expect(200);
    ada.patch(&path, json!({"name": "X"})).await.problem(404, "not-found");
    app.finish().await;
}

/// A person who loses access to a project because a team changes receives the revocation, and no later event.
#[tokio::test]
async fn a_project_is_revoked_on_a_stream_when_access_by_a_team_ends() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let (project, _) = ada.project("P").await;
    let (kept, _) = ada.project("Kept").await;
    ada.put(&format!("/v1/projects/{kept}/members/{}", bo.user_id), json!({"role": "viewer"})).await.expect(201);
    let team = team(&ada, &[&bo]).await;
    let given = ada.put(&format!("/v1/projects/{project}/teams/{team}"), json!({"role": "viewer"})).await.expect(201);
    let mut seen_by_bo = given["position"].as_i64().unwrap();
    for lose in ["leaves", "is deleted"] {
        bo.get_at(&format!("/v1/projects/{project}"), seen_by_bo).await.expect(200);
        // An event that can be read may not yet have been delivered to the streams.
        let mut stream = bo.stream(&format!("/v1/stream?projects={project},{kept}&since={seen_by_bo}")).await;
        assert_eq!(stream.next().await.unwrap().event, "hello");
        ada.task(&project, "seen").await;
        assert_eq!(stream.next().await.unwrap().event, "task.created", "{lose}");
        match lose {
            "leaves" => ada.delete(&format!("/v1/teams/{team}/members/{}", bo.user_id)).await.expect(200),
            _ => ada.delete(&format!("/v1/teams/{team}")).await.expect(200),
        };
        ada.task(&project, "not seen").await;
        let last = ada.task(&kept, "kept").await;
        let mut seen = Vec::new();
        loop {
            let frame = stream.next().await.unwrap();
            let done = frame.data["subject"]["id"] == last.as_str();
            seen.push((frame.event, frame.data["project_id"].clone()));
            if done {
                break;
            }
        }
        assert_eq!(seen, [("revoked".to_owned(), json!(project)), ("task.created".to_owned(), json!(kept))], "{lose}");
        if lose == "leaves" {
            let back = format!("/v1/teams/{team}/members/{}", bo.user_id);
            let reply = ada.put(&back, json!({"role": "member"})).await.expect(201);
            seen_by_bo = reply["position"].as_i64().unwrap();
        }
    }
    app.finish().await;
}

/// A decision on an outdated state of a team is refused by the append: on another instance, with a stale cache.
#[tokio::test]
async fn a_stale_team_cache_admits_nobody() {
    let environment = TestEnvironment::new().await;
    let (app, second) = (App::start_at(environment.clone()).await, App::start_at(environment).await);
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let (project, _) = ada.project("P").await;
    let team = team(&ada, &[&bo]).await;
    ada.put(&format!("/v1/projects/{project}/teams/{team}"), json!({"role": "member"})).await.expect(201);
    let on_second = Actor { url: second.url.clone(), ..bo.clone() };
    let task = eventually("the second instance knows the team", || async {
        let reply = on_second.post(&format!("/v1/projects/{project}/tasks"), json!({"title": "T"})).await;
        (reply.status == 201).then(|| reply.body["id"].as_str().unwrap().to_owned())
    })
    .await;
    ada.delete(&format!("/v1/teams/{team}/members/{}", bo.user_id)).await.expect(200);
    on_second.patch(&format!("/v1/tasks/{task}"), json!({"title": "U"})).await.problem(404, "not-found");
    second.stop().await;
    app.finish().await;
}
