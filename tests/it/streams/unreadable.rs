//! An event that this version cannot read may have ended anybody's access: whoever follows its project, or any project
//! for an event of a team, is authorized again.

use serde_json::json;
use sqlx::types::Uuid;

use crate::harness::{Actor, App, PATIENCE, Sse, eventually};

const RENAMED: &str = r#"{"changes": {"title": {"from": "T", "to": "U"}}}"#;

/// Ends a membership in the read tables alone, as a projector of a later version does with its events.
async fn end_membership(app: &App, table: &str, user: &Actor) {
    let sql = format!("DELETE FROM {table} WHERE user_id = $1");
    let ended = sqlx::query(&sql).bind(user.user_id.parse::<Uuid>().unwrap()).execute(&app.owner).await.unwrap();
    assert_eq!(ended.rows_affected(), 1);
}

/// Streams of every kind that carry the project.
async fn streams(user: &Actor, project: &str) -> Vec<Sse> {
    let paths = [
        format!("/v1/projects/{project}/events/stream"),
        format!("/v1/stream?projects={project}"),
        format!("/v1/stream?projects={project}&me=true"),
        format!("/v1/stream?projects={project}&presence=false"),
    ];
    let mut streams = Vec::new();
    for path in paths {
        let mut stream = user.stream(&path).await;
        assert_eq!(stream.next().await.unwrap().event, "hello");
        streams.push(stream);
    }
    streams
}

/// Reads up to this event.
async fn until(stream: &mut Sse, event: &str) {
    let reading = async { while stream.next().await.expect("the stream continues").event != event {} };
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("no {event}"));
}

/// Events up to `revoked`. Heartbeats come all the time, so that waiting for one frame is not enough.
async fn until_revoked(stream: &mut Sse) -> Vec<String> {
    tokio::time::timeout(PATIENCE, up_to_revoked(stream)).await.expect("`revoked` comes in time")
}

async fn up_to_revoked(stream: &mut Sse) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let frame = stream.next().await.unwrap_or_else(|| panic!("no `revoked` after {seen:?}"));
        match frame.event.as_str() {
            "revoked" => return seen,
            "heartbeat" => {}
            event if event.starts_with("presence.") => {}
            event => seen.push(event.to_owned()),
        }
    }
}

#[tokio::test]
async fn an_unreadable_event_authorizes_everybody_concerned_again() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    // A member, a member through a team, and one whose own removal cannot be read.
    let lost = [app.person("bea").await, app.person("cid").await, app.person("dee").await];
    let (project, _) = ada.project("P").await;
    for user in [&lost[0], &lost[2]] {
        ada.put(&format!("/v1/projects/{project}/members/{}", user.user_id), json!({"role": "member"}))
            .await
            .expect(201);
    }
    let team = ada.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    let in_team = format!("/v1/teams/{team}/members/{}", lost[1].user_id);
    ada.put(&in_team, json!({"role": "member"})).await.expect(201);
    ada.put(&format!("/v1/projects/{project}/teams/{team}"), json!({"role": "viewer"})).await.expect(201);
    let task = ada.task(&project, "T").await;
    app.settle().await;
    let mut kept = streams(&ada, &project).await;

    let unreadable = [
        ("project_members", &project, "project.members_replaced", r#"{"changes": {}}"#),
        ("team_members", &team, "team.dissolved", r#"{"changes": {}}"#),
        ("project_members", &project, "project.member_removed", "[1, 2]"),
    ];
    for (user, (table, aggregate, event, payload)) in lost.iter().zip(unreadable) {
        let mut streams = streams(user, &project).await;
        let devices = format!("/v1/projects/{project}/presence");
        eventually("presence is accepted", || async {
            (user.put(&devices, json!({"device_id": "desk"})).await.status == 200).then_some(())
        })
        .await;
        until(&mut kept[0], "presence.joined").await;
        end_membership(&app, table, user).await;
        app.plant(aggregate, event, payload).await;
        for stream in &mut streams {
            // At most the event itself, if it can be sent, is delivered before.
            let seen = until_revoked(stream).await;
            assert!(seen.iter().all(|seen| seen == event), "{event}: {seen:?}");
        }
        until(&mut kept[0], "presence.left").await;
        // Whoever still has access goes on. The project itself takes no commands, as it cannot be read.
        let position = app.plant(&task, "task.renamed", RENAMED).await;
        for stream in &mut kept {
            let going_on = async { while stream.next().await.expect("it continues").id != position.to_string() {} };
            tokio::time::timeout(PATIENCE, going_on).await.expect("the next event comes");
        }
    }
    app.stop().await;
}

/// A stream that reads the log, because it fell behind or resumes, meets the event there.
#[tokio::test]
async fn an_unreadable_event_is_met_in_the_log_too() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (project, _) = ada.project("P").await;
    ada.put(&format!("/v1/projects/{project}/members/{}", bea.user_id), json!({"role": "member"})).await.expect(201);
    let task = ada.task(&project, "T").await;
    app.settle().await;
    let planted = app.plant(&project, "project.member_removed", r#"{"changes": {"member": 7}}"#).await;
    let last = app.plant(&task, "task.renamed", RENAMED).await;
    app.settle().await;
    // It ended nobody's access as far as the read tables know: everything is delivered.
    let mut stream = bea.stream(&format!("/v1/projects/{project}/events/stream?since=0")).await;
    assert_eq!(stream.changes_until(last).await, [1, 2, 3, planted, last]);
    drop(stream);
    app.stop().await;
}
