//! Streams whose channels are changed while open, and limits on the number of streams.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Actor, App, PATIENCE, Sse, TestEnvironment, new_id};

/// An open stream of these projects, and the path for changing it.
async fn open(actor: &Actor, query: &str) -> (Sse, String) {
    let mut stream = actor.stream(&format!("/v1/stream?{query}")).await;
    let hello = stream.next().await.unwrap();
    assert_eq!(hello.event, "hello");
    (stream, format!("/v1/streams/{}", hello.data["stream_id"].as_str().unwrap()))
}

/// Positions at which tasks are created in these projects, one after the other.
async fn create_in(actor: &Actor, projects: &[&String]) -> Vec<i64> {
    let mut positions = Vec::new();
    for project in projects {
        let created = actor.post(&format!("/v1/projects/{project}/tasks"), json!({"title": "T"})).await.expect(201);
        positions.push(created["position"].as_i64().unwrap());
    }
    positions
}

/// Returns the position if it is after that of a change of channels.
fn behind(changed: &Value, position: i64) -> Option<i64> {
    (position > changed["position"].as_i64().unwrap()).then_some(position)
}

#[tokio::test]
async fn an_open_stream_is_switched_to_another_project() {
    let environment = TestEnvironment::new().await;
    let (app, second) = (App::start_at(environment.clone()).await, App::start_at(environment).await);
    let ada = app.person("ada").await;
    let [(one, _), (two, _), (three, _)] = [ada.project("1").await, ada.project("2").await, ada.project("3").await];
    app.settle().await;
    let (mut stream, path) = open(&ada, &format!("projects={one}")).await;
    let all = [&one, &two, &three];
    let before = create_in(&ada, &all).await;
    assert_eq!(stream.changes_until(before[0]).await, [before[0]]);

    // The request goes to the instance that does not have the stream. Events of the added channels start after the
    // position in the response.
    let on_second = Actor { url: second.url.clone(), ..ada.clone() };
    let changed = on_second.patch(&path, json!({"add": [two]})).await.expect(200);
    assert_eq!((&changed["projects"], &changed["me"]), (&json!([one, two]), &json!(false)));
    let seen = create_in(&ada, &all).await;
    let expected: Vec<i64> = behind(&changed, before[1]).into_iter().chain(seen[..2].to_vec()).collect();
    assert_eq!(stream.changes_until(seen[1]).await, expected);

    let changed = ada.patch(&path, json!({"remove": [one], "add": [three], "me": true})).await.expect(200);
    assert_eq!((&changed["projects"], &changed["me"]), (&json!([two, three]), &json!(true)));
    let last = seen[2];
    let seen = create_in(&ada, &all).await;
    let expected: Vec<i64> = behind(&changed, last).into_iter().chain(seen[1..].to_vec()).collect();
    assert_eq!(stream.changes_until(seen[2]).await, expected);

    let changed = ada.patch(&path, json!({"projects": [one], "me": false})).await.expect(200);
    assert_eq!((&changed["projects"], &changed["me"]), (&json!([one]), &json!(false)));
    let seen = create_in(&ada, &[&two, &three, &one]).await;
    assert_eq!(stream.changes_until(seen[2]).await, seen[2..]);
    drop(stream);
    second.stop().await;
    app.finish().await;
}

#[tokio::test]
async fn a_stream_can_only_be_changed_by_its_user_to_readable_projects() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let ((mine, _), (hers, _)) = (ada.project("mine").await, bea.project("hers").await);
    app.settle().await;
    let (mut stream, path) = open(&ada, &format!("projects={mine}")).await;
    bea.patch(&path, json!({})).await.problem(404, "not-found");
    app.anonymous().patch(&path, json!({})).await.problem(401, "unauthenticated");
    ada.patch(&path, json!({"add": [hers]})).await.problem(404, "not-found");
    ada.patch(&format!("/v1/streams/{}", new_id()), json!({})).await.problem(404, "not-found");
    ada.patch(&path, json!({"projects": [mine], "remove": [mine]})).await.problem(422, "validation-failed");
    ada.patch(&path, json!({"projects": []})).await.problem(422, "validation-failed");
    let many: Vec<Value> = (0..101).map(|_| json!(new_id())).collect();
    ada.patch(&path, json!({"add": many})).await.problem(422, "validation-failed");
    ada.patch(&path, json!({"channels": []})).await.problem(422, "validation-failed");
    let same = ada.patch(&path, json!({})).await.expect(200);
    assert_eq!(same["projects"], json!([mine]));
    assert!(same["expires_at"].as_str().unwrap().ends_with('Z'));

    // A token for one project cannot add others.
    let token = ada.api_token(json!({"name": "n", "access": "read", "project_id": mine})).await;
    let (other, _) = ada.project("other").await;
    app.settle().await;
    token.patch(&path, json!({"add": [other]})).await.problem(404, "not-found");
    token.patch(&path, json!({"me": true})).await.problem(403, "forbidden");

    // As on an unchanged stream: a removal ends the project at its position.
    let member = format!("/v1/projects/{hers}/members/{}", ada.user_id);
    bea.put(&member, json!({"role": "viewer"})).await.expect(201);
    app.settle().await;
    ada.patch(&path, json!({"add": [hers]})).await.expect(200);
    let removed = bea.delete(&member).await.expect(200)["position"].as_i64().unwrap();
    assert_eq!(stream.changes_until(removed).await.last(), Some(&removed));
    assert_eq!(stream.next().await.unwrap().event, "revoked");
    let seen = create_in(&ada, &[&mine]).await;
    assert_eq!(stream.changes_until(seen[0]).await, seen);
    drop(stream);
    ada.patch(&path, json!({"add": [other]})).await;
    app.finish().await;
}

/// A client learns of new projects from its stream, and adds them to it.
#[tokio::test]
async fn a_new_membership_appears_on_the_personal_channel_and_can_be_subscribed_to() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let ((one, _), (two, _)) = (ada.project("1").await, ada.project("2").await);
    let team = ada.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    ada.put(&format!("/v1/teams/{team}/members/{}", bea.user_id), json!({"role": "member"})).await.expect(201);
    app.settle().await;
    let began = app.head().await;
    let (mut stream, path) = open(&bea, &format!("me=true&since={began}")).await;
    let member = format!("/v1/projects/{one}/members/{}", bea.user_id);
    let mut all = Vec::new();
    for grant in [member.clone(), format!("/v1/projects/{two}/teams/{team}")] {
        let added = ada.put(&grant, json!({"role": "viewer"})).await.expect(201);
        let frame = stream.next_change().await.unwrap();
        assert_eq!(frame.data, added["events"][0]);
        assert_eq!(frame.id, added["position"].to_string());
        bea.patch(&path, json!({"add": [frame.data["project_id"]]})).await.expect(200);
        all.push(added["position"].as_i64().unwrap());
    }
    // In a followed project, the event comes once; otherwise it comes on `me`, and the removal is the last.
    all.push(ada.put(&member, json!({"role": "member"})).await.expect(200)["position"].as_i64().unwrap());
    assert_eq!(stream.changes_until(all[2]).await, [all[2]]);
    bea.patch(&path, json!({"remove": [one]})).await.expect(200);
    all.push(ada.put(&member, json!({"role": "viewer"})).await.expect(200)["position"].as_i64().unwrap());
    assert_eq!(stream.changes_until(all[3]).await, [all[3]]);
    bea.patch(&path, json!({"add": [one]})).await.expect(200);
    all.push(ada.delete(&member).await.expect(200)["position"].as_i64().unwrap());
    assert_eq!(stream.changes_until(all[4]).await, [all[4]]);
    assert_eq!(stream.next().await.unwrap().event, "revoked");
    let unseen = create_in(&ada, &[&one, &two]).await;
    assert_eq!(stream.changes_until(unseen[1]).await, [unseen[1]]);
    // A client that resumes reads the same from the log.
    let mut again = bea.stream(&format!("/v1/stream?me=true&since={began}")).await;
    assert_eq!(again.changes_until(all[4]).await, all);
    let mut again = bea.stream(&format!("/v1/stream?me=true&projects={two}&since={began}")).await;
    assert_eq!(again.changes_until(all[4]).await, all);
    drop((stream, again));
    app.finish().await;
}

#[tokio::test]
async fn streams_per_user_are_limited_and_a_refused_browser_learns_when_to_retry() {
    let app = App::start_with(&["--max-streams-per-user", "2"]).await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let path = format!("/v1/projects/{project}/events/stream");
    let (first, _second) = (ada.stream(&path).await, ada.stream(&path).await);
    let refused = ada.get(&path).await;
    refused.problem(429, "rate-limited");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
    let back = ada.request(reqwest::Method::GET, &path).header("last-event-id", "1");
    let mut answered = Sse::open(back).await;
    let drain = answered.next().await.unwrap();
    assert_eq!((drain.event.as_str(), drain.id.as_str()), ("drain", "1"));
    assert!(drain.data["retry_ms"].as_u64().unwrap() >= 1000);
    assert!(answered.next().await.is_none());
    // Other users are not affected, and a released slot is free.
    bea.get(&path).await.problem(404, "not-found");
    drop(first);
    crate::harness::eventually("the stream slot is free", || async {
        Sse::try_open(ada.request(reqwest::Method::GET, &path)).await
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn a_client_in_a_tight_loop_is_answered_when_a_stream_slot_is_free() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (project, _) = ada.project("P").await;
    ada.put(&format!("/v1/projects/{project}/members/{}", bea.user_id), json!({"role": "viewer"})).await.expect(201);
    app.settle().await;
    let path = format!("/v1/projects/{project}/events/stream");
    let open = async || {
        let began = Instant::now();
        (ada.request(reqwest::Method::GET, &path).send().await.unwrap(), began.elapsed())
    };
    let refusal = async || loop {
        // Streams are closed as soon as they are open; several at a time, so that a busy machine is fast enough as
        // well.
        let answers = join_all((0..16).map(|_| open())).await;
        if let Some(refused) = answers.into_iter().find(|(answer, _)| answer.status() == 429) {
            return refused;
        }
    };
    let (refused, took) = tokio::time::timeout(PATIENCE, refusal()).await.unwrap();
    assert!(took > Duration::from_millis(200), "answered after {took:?}");
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(open().await.0.status(), 200, "a slot is free again");
    // No other user waits.
    let began = Instant::now();
    let mut stream = bea.stream(&path).await;
    assert_eq!(stream.next().await.unwrap().event, "hello");
    assert!(began.elapsed() < Duration::from_secs(1));
    drop(stream);
    app.finish().await;
}

/// A connection without a complete request is closed after ten seconds.
#[tokio::test]
async fn a_connection_without_a_complete_request_is_closed() {
    let app = App::start().await;
    let address = app.url.trim_start_matches("http://").to_owned();
    let half_open = ["", "P", "GET /v1/me HTTP/1.1\r\nHost: a\r\n"].map(|sent| {
        let address = address.clone();
        async move {
            let mut socket = TcpStream::connect(&address).await.unwrap();
            socket.write_all(sent.as_bytes()).await.unwrap();
            let began = Instant::now();
            let closed = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut Vec::new())).await;
            assert!(closed.is_ok(), "{sent:?} is still open");
            began.elapsed()
        }
    });
    for open in join_all(half_open).await {
        assert!(open > Duration::from_secs(8) && open < Duration::from_secs(15), "closed after {open:?}");
    }
    app.finish().await;
}
