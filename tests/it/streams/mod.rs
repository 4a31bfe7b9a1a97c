//! Live streams: opening, resuming, tickets, revocation and drain.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Actor, App, PATIENCE, Sse};

/// Connections that carry a stream: the bare socket, HTTP/1, HTTP/2.
mod connections;
/// Ends and refusals of streams, in the log and in the metrics.
mod ends;
/// Clients that close their sending side.
mod half_closed;
/// Objects in the log that are not yet in the read tables.
mod new_projects;
/// Former members of a project.
mod removed;
/// Cursors from which a stream resumes.
mod resuming;
/// Events that may have ended somebody's access, and cannot be read.
mod unreadable;

#[tokio::test]
async fn a_stream_begins_with_hello_and_continues_at_the_position_of_a_read() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    ada.task(&project, "one").await;
    app.settle().await;
    let board = ada.get(&format!("/v1/projects/{project}/board")).await;
    let mut stream = ada.stream(&format!("/v1/projects/{project}/events/stream?since={}", board.position())).await;
    let hello = stream.next().await.unwrap();
    assert_eq!((hello.event.as_str(), hello.id.as_str()), ("hello", "2"));
    assert_eq!(hello.data["position"], 2);
    assert_eq!(hello.data["heartbeat_seconds"], 15);
    let body = ada.post(&format!("/v1/projects/{project}/tasks"), json!({"title": "two"})).await.expect(201);
    let frame = stream.next().await.unwrap();
    assert_eq!((frame.event.as_str(), frame.id.as_str()), ("task.created", "3"));
    assert_eq!(frame.data, body["events"][0]);
    drop(stream);
    app.finish().await;
}

#[tokio::test]
async fn a_reconnected_client_resumes_at_its_cursor() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let (other, _) = ada.project("Other").await;
    app.settle().await;
    let path = format!("/v1/projects/{project}/events/stream?since=0");
    let mut stream = ada.stream(&path).await;
    assert_eq!(stream.changes_until(1).await, [1]);
    drop(stream);
    for i in 0..5 {
        ada.task(&project, &format!("{i}")).await;
        ada.task(&other, &format!("{i}")).await;
    }
    // Last-Event-ID wins over `since`.
    let mut stream = Sse::open(ada.request(Method::GET, &path).header("last-event-id", "1")).await;
    assert_eq!(stream.changes_until(11).await, [3, 5, 7, 9, 11]);
    drop(stream);
    app.finish().await;
}

#[tokio::test]
async fn several_projects_are_delivered_on_one_stream_in_order() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (one, _) = ada.project("One").await;
    let (two, _) = ada.project("Two").await;
    let (three, _) = ada.project("Three").await;
    app.settle().await;
    let mut stream = ada.stream(&format!("/v1/stream?projects={one},{two}&since=0")).await;
    for i in 0..4 {
        for project in [&one, &three, &two] {
            ada.task(project, &format!("{i}")).await;
        }
    }
    let seen = stream.changes_until(15).await;
    assert_eq!(seen, [1, 2, 4, 6, 7, 9, 10, 12, 13, 15]);
    drop(stream);
    app.finish().await;
}

#[tokio::test]
async fn a_ticket_opens_a_stream_and_others_are_refused() {
    let app = App::start().await;
    let (ada, eve) = (app.person("ada").await, app.person("eve").await);
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let path = format!("/v1/projects/{project}/events/stream");
    let ticket = ada.post("/v1/stream-tickets", json!({})).await.expect(201)["ticket"].as_str().unwrap().to_owned();
    let mut stream = app.anonymous().stream(&format!("{path}?since=0&ticket={ticket}")).await;
    assert_eq!(stream.next().await.unwrap().event, "hello");
    // It opens one stream; a browser that reconnects with it is asked to get another one (`reauth`).
    app.anonymous().get(&format!("{path}?ticket={ticket}")).await.problem(401, "unauthenticated");
    let back = app.anonymous().request(Method::GET, &format!("{path}?ticket={ticket}")).header("last-event-id", "1");
    assert_eq!(last_event(&mut Sse::open(back).await).await, "reauth");
    eve.get(&path).await.problem(404, "not-found");
    app.anonymous().get(&path).await.problem(401, "unauthenticated");
    app.anonymous().get(&format!("{path}?ticket=x")).await.problem(401, "unauthenticated");
    eve.send(eve.request(Method::GET, &path).header("last-event-id", "1")).await.problem(404, "not-found");
    // On a reconnect the error is a frame in the stream, which EventSource can read.
    let mut stream = Sse::open(ada.request(Method::GET, &path).header("last-event-id", "999")).await;
    assert_eq!(last_event(&mut stream).await, "reset");
    drop(stream);
    app.finish().await;
}

async fn last_event(stream: &mut Sse) -> String {
    let mut last = String::new();
    while let Some(frame) = stream.next().await {
        last = frame.event;
    }
    last
}

#[tokio::test]
async fn a_removed_member_receives_the_removal_as_the_last_event() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (project, _) = ada.project("P").await;
    let member = format!("/v1/projects/{project}/members/{}", bea.user_id);
    ada.put(&member, json!({"role": "member"})).await.expect(201);
    app.settle().await;
    let mut stream = bea.stream(&format!("/v1/projects/{project}/events/stream?since=0")).await;
    assert_eq!(stream.changes_until(2).await, [1, 2]);
    ada.delete(&member).await.expect(200);
    ada.task(&project, "after").await;
    let removal = stream.next_change().await.unwrap();
    assert_eq!(removal.event, "project.member_removed");
    assert_eq!(last_event(&mut stream).await, "revoked");
    app.finish().await;
}

#[tokio::test]
async fn a_stopping_server_sends_drain() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let mut stream = ada.stream(&format!("/v1/projects/{project}/events/stream")).await;
    assert_eq!(stream.next().await.unwrap().event, "hello");
    let stopping = tokio::spawn(app.stop());
    assert_eq!(last_event(&mut stream).await, "drain");
    tokio::time::timeout(PATIENCE, stopping).await.unwrap().unwrap();
}
