//! A former member is sent the event that ended their access, on every kind of stream, and nothing of the past.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Actor, App, Sse};

/// Way in which a person loses access to a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    OfMember,
    OfTeam,
    FromTeam,
    ByDeletionOfTeam,
}

/// Event that ended the access, and what else the log has.
struct Removed {
    project: String,
    position: i64,
    event: &'static str,
    /// The event is one of the project, and not of a team.
    is_of_project: bool,
}

/// Bo joins a project that has a history, and is removed from it.
async fn removed(app: &App, ada: &Actor, bo: &Actor, removal: Removal) -> Removed {
    let (project, _) = ada.project("P").await;
    ada.task(&project, "before Bo joined").await;
    let of_project = format!("/v1/projects/{project}");
    let member = format!("{of_project}/members/{}", bo.user_id);
    let team = ada.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    let (grant, in_team) = (format!("{of_project}/teams/{team}"), format!("/v1/teams/{team}/members/{}", bo.user_id));
    if removal == Removal::OfMember {
        ada.put(&member, json!({"role": "member"})).await.expect(201);
    } else {
        ada.put(&in_team, json!({"role": "member"})).await.expect(201);
        ada.put(&grant, json!({"role": "member"})).await.expect(201);
    }
    ada.task(&project, "while Bo was a member").await;
    let (ended_by, event) = match removal {
        Removal::OfMember => (member, "project.member_removed"),
        Removal::OfTeam => (grant, "project.team_removed"),
        Removal::FromTeam => (in_team, "team.member_removed"),
        Removal::ByDeletionOfTeam => (format!("/v1/teams/{team}"), "team.deleted"),
    };
    let position = ada.delete(&ended_by).await.expect(200)["position"].as_i64().unwrap();
    ada.task(&project, "after Bo").await;
    app.settle().await;
    Removed { project, position, event, is_of_project: event.starts_with("project.") }
}

/// Frames that say something, without those of a stream that stays open: up to `revoked`.
async fn until_revoked(mut stream: Sse, removed: &Removed) -> Vec<(String, i64)> {
    let mut seen = Vec::new();
    while let Some(frame) = stream.next().await {
        match frame.event.as_str() {
            "hello" | "heartbeat" => {}
            "revoked" => {
                assert_eq!(frame.data["project_id"], removed.project.as_str());
                return seen;
            }
            // Of the channel `me`: what happened to Bo's own memberships and teams.
            event if frame.data["project_id"] != removed.project.as_str() => {
                assert!(event.starts_with("team.") || event.starts_with("project."), "{frame:?}");
            }
            event => seen.push((event.to_owned(), frame.data["position"].as_i64().unwrap())),
        }
    }
    panic!("no `revoked` after {seen:?}");
}

async fn with_ticket(bo: &Actor, path: &str) -> (Actor, String) {
    let ticket = bo.post("/v1/stream-tickets", json!({})).await.expect(201)["ticket"].as_str().unwrap().to_owned();
    let joint = if path.contains('?') { '&' } else { '?' };
    (Actor::anonymous(&bo.url), format!("{path}{joint}ticket={ticket}"))
}

const ALL: [Removal; 4] = [Removal::OfMember, Removal::OfTeam, Removal::FromTeam, Removal::ByDeletionOfTeam];

#[tokio::test]
async fn a_former_member_is_sent_the_removal_and_nothing_of_the_past_on_every_stream() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (kept, _) = ada.project("Kept").await;
    for (removal, name) in ALL.into_iter().zip(["bo", "cy", "di", "ed"]) {
        let bo = app.person(name).await;
        ada.put(&format!("/v1/projects/{kept}/members/{}", bo.user_id), json!({"role": "viewer"})).await.expect(201);
        let removed = removed(&app, &ada, &bo, removal).await;
        let bo = bo.sign_in(name).await;
        let project = &removed.project;
        let only: &[(String, i64)] = &[(removed.event.to_owned(), removed.position)];
        let expected = if removed.is_of_project { only } else { &[] };
        let alone = [format!("/v1/projects/{project}/events/stream"), format!("/v1/stream?projects={project}")];
        let several = format!("/v1/stream?projects={project},{kept}");
        for cursor in ["0".to_owned(), "2".to_owned(), (removed.position - 1).to_string()] {
            for path in alone.iter().chain([&several]) {
                let header = bo.request(Method::GET, path).header("last-event-id", &cursor);
                let joint = if path.contains('?') { '&' } else { '?' };
                let parameter = bo.request(Method::GET, &format!("{path}{joint}lastEventId={cursor}"));
                let (anonymous, with_ticket) = with_ticket(&bo, path).await;
                let ticket = anonymous.request(Method::GET, &with_ticket).header("last-event-id", &cursor);
                for request in [header, parameter, ticket] {
                    let seen = until_revoked(Sse::open(request).await, &removed).await;
                    assert_eq!(seen, expected, "{removal:?} {path} {cursor}");
                }
            }
        }
        // Whoever has the removal is told no more.
        for path in &alone {
            let request = bo.request(Method::GET, path).header("last-event-id", removed.position);
            assert_eq!(until_revoked(Sse::open(request).await, &removed).await, [], "{removal:?} {path}");
        }
        // Without a cursor it is as for a stranger, and so is the feed.
        for path in alone.iter().chain([&several, &format!("/v1/projects/{project}/events?since=0")]) {
            bo.get(path).await.problem(404, "not-found");
        }
        // The channel `me` has the events of Bo's own memberships and teams, and none of the project's others.
        let me = format!("/v1/stream?projects={project}&me=true");
        let seen = until_revoked(Sse::open(bo.request(Method::GET, &me).header("last-event-id", "0")).await, &removed);
        let of_tasks: Vec<_> = seen.await.into_iter().filter(|(event, _)| event.starts_with("task.")).collect();
        assert_eq!(of_tasks, [], "{removal:?}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_removal_of_more_than_ten_minutes_ago_is_not_told_any_more() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (kept, _) = ada.project("Kept").await;
    for (removal, name) in ALL.into_iter().zip(["bo", "cy", "di", "ed"]) {
        let bo = app.person(name).await;
        ada.put(&format!("/v1/projects/{kept}/members/{}", bo.user_id), json!({"role": "viewer"})).await.expect(201);
        let removed = removed(&app, &ada, &bo, removal).await;
        let project = &removed.project;
        let aged = "UPDATE events SET recorded_at = recorded_at - interval '601 seconds' WHERE position = $1";
        sqlx::query(aged).bind(removed.position).execute(&app.owner).await.unwrap();
        for path in [format!("/v1/projects/{project}/events/stream"), format!("/v1/stream?projects={project}")] {
            for cursor in [0, removed.position - 1, removed.position] {
                let request = bo.request(Method::GET, &path).header("last-event-id", cursor);
                bo.send(request).await.problem(404, "not-found");
            }
        }
        // A stream that carries something else goes on without the project.
        for path in [format!("/v1/stream?projects={project},{kept}"), format!("/v1/stream?projects={project}&me=true")]
        {
            let request = bo.request(Method::GET, &path).header("last-event-id", app.head().await);
            assert_eq!(until_revoked(Sse::open(request).await, &removed).await, [], "{path}");
        }
        let restored = "UPDATE events SET recorded_at = recorded_at + interval '601 seconds' WHERE position = $1";
        sqlx::query(restored).bind(removed.position).execute(&app.owner).await.unwrap();
    }
    app.finish().await;
}
