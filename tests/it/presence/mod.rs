//! Presence on several devices and instances, through kills and outages, and without loss of events.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};
use taskfold_embedded::{Durability, Options, Stack};

use crate::harness::{Actor, App, PATIENCE, Process, Sse, TestEnvironment, data_dir, eventually, new_id};

/// Outages of instances, NATS and the bucket.
mod outages;
/// Replicas of the presence bucket.
mod replicas;
/// Clients that do not read.
mod slow_clients;

const TTL: Duration = Duration::from_secs(2);
const SHORT: &str = "--presence-seconds=2";

/// Margin for a slow machine.
const SLOW: Duration = Duration::from_secs(6);

fn path(project: &str) -> String {
    format!("/v1/projects/{project}/presence")
}

/// Announces presence, repeated until NATS is connected after the start.
async fn announce(actor: &Actor, project: &str, body: Value) {
    eventually("presence is accepted", || async {
        let answer = actor.put(&path(project), body.clone()).await;
        assert!([200, 503].contains(&answer.status.as_u16()), "{}", answer.body);
        (answer.status == 200).then_some(())
    })
    .await;
}

async fn leave(actor: &Actor, project: &str, device: &str) {
    actor.delete(&format!("{}/{device}", path(project))).await.expect(204);
}

/// Usernames of the members who are present.
async fn present(actor: &Actor, project: &str) -> BTreeSet<String> {
    let page = actor.get(&path(project)).await.expect(200);
    let items = page["items"].as_array().unwrap();
    assert_eq!(page["total"], items.len());
    items.iter().map(|item| item["username"].as_str().unwrap().to_owned()).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The next presence frame of the stream: kind, user and viewed tasks.
async fn next_presence(stream: &mut Sse) -> (String, String, Vec<String>) {
    loop {
        let frame = stream.next().await.expect("the stream continues");
        let Some(kind) = frame.event.strip_prefix("presence.").filter(|kind| *kind != "stale") else { continue };
        let focus = frame.data["focus"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
        return (kind.to_owned(), frame.data["user_id"].as_str().unwrap().to_owned(), focus.collect());
    }
}

fn presence_of(kind: &str, who: &Actor, focus: &[&String]) -> (String, String, Vec<String>) {
    (kind.to_owned(), who.user_id.clone(), focus.iter().map(|&id| id.clone()).collect())
}

async fn open(actor: &Actor, path: &str) -> Sse {
    // A new connection whose first request is the stream: it is then served on the bare socket.
    let actor = Actor { client: reqwest::Client::new(), ..actor.clone() };
    let mut stream = actor.stream(path).await;
    assert_eq!(stream.next().await.unwrap().event, "hello");
    stream
}

/// Creates a project with these members and its owner.
async fn project(app: &App, owner: &Actor, members: &[(&Actor, &str)]) -> String {
    let (project, _) = owner.project("P").await;
    for (member, role) in members {
        let path = format!("/v1/projects/{project}/members/{}", member.user_id);
        owner.put(&path, json!({"role": role})).await.expect(201);
    }
    app.settle().await;
    project
}

#[tokio::test]
async fn joining_focusing_and_leaving_combine_all_devices_of_a_user() {
    let app = App::start().await;
    let (ada, bea, eve) = (app.person("ada").await, app.person("bea").await, app.person("eve").await);
    let project = project(&app, &ada, &[(&bea, "viewer")]).await;
    let stream_path = format!("/v1/projects/{project}/events/stream");
    // NATS is connected once presence is accepted in another project.
    let (other, _) = ada.project("Q").await;
    app.settle().await;
    announce(&ada, &other, json!({"device_id": "desk"})).await;
    let mut on_socket = open(&ada, &stream_path).await;
    // On a connection that has been used before: this stream is the body of an HTTP response.
    let mut as_body = bea.stream(&format!("/v1/stream?projects={project}")).await;
    let mut without = open(&bea, &format!("{stream_path}?presence=false")).await;

    let mut ids = [new_id().to_string(), new_id().to_string()];
    ids.sort();
    let [one, two] = &ids;
    let reply = bea.put(&path(&project), json!({"device_id": "phone", "focus": two})).await.expect(200);
    let expected = json!({"user_id": bea.user_id, "device_id": "phone", "focus": two, "expires_in": 30});
    assert_eq!(reply, expected);
    for stream in [&mut on_socket, &mut as_body] {
        assert_eq!(next_presence(stream).await, presence_of("joined", &bea, &[two]));
    }
    // One's own presence can be read immediately, and names are as in every list of people.
    let page = ada.get(&path(&project)).await.expect(200);
    assert_eq!(page["total"], 1);
    assert_eq!(page["items"][0]["username"], "bea");
    assert_eq!((&page["items"][0]["display_name"], &page["items"][0]["focus"]), (&json!("BEA"), &json!([two])));
    assert_eq!(page["items"][0]["devices"], 1);
    // A second device, a heartbeat without change, and the end of the first device: each change is sent once, or not at
    // all.
    announce(&bea, &project, json!({"device_id": "desk", "focus": one})).await;
    for stream in [&mut on_socket, &mut as_body] {
        assert_eq!(next_presence(stream).await, presence_of("focused", &bea, &[one, two]));
    }
    announce(&bea, &project, json!({"device_id": "desk", "focus": one})).await;
    leave(&bea, &project, "phone").await;
    for stream in [&mut on_socket, &mut as_body] {
        assert_eq!(next_presence(stream).await, presence_of("focused", &bea, &[one]));
    }
    leave(&bea, &project, "phone").await;
    leave(&bea, &project, "desk").await;
    for stream in [&mut on_socket, &mut as_body] {
        assert_eq!(next_presence(stream).await, presence_of("left", &bea, &[]));
    }
    assert!(present(&ada, &project).await.is_empty());

    for answer in [
        eve.put(&path(&project), json!({"device_id": "x"})).await,
        eve.get(&path(&project)).await,
        eve.delete(&format!("{}/x", path(&project))).await,
    ] {
        answer.problem(404, "not-found");
    }
    // Events continue, and a stream without presence received nothing else.
    ada.task(&project, "T").await;
    assert_eq!(without.next().await.unwrap().event, "task.created");
    assert_eq!(on_socket.next_change().await.unwrap().event, "task.created");
    drop((on_socket, as_body, without));
    app.finish().await;
}

#[tokio::test]
async fn device_ids_are_plain_tokens_and_their_number_is_limited() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let project = project(&app, &ada, &[]).await;
    let refused = async |body: Value| {
        let answer = ada.put(&path(&project), body).await;
        answer.problem(422, "validation-failed")["errors"][0]["pointer"].as_str().unwrap().to_owned()
    };
    for bad in ["", "a.b", "*", "é", "a b", &"x".repeat(65)] {
        assert_eq!(refused(json!({"device_id": bad})).await, "/device_id", "{bad}");
    }
    assert_eq!(refused(json!({})).await, "/device_id");
    assert_eq!(refused(json!({"device_id": "x", "focus": "task"})).await, "/focus");
    assert_eq!(refused(json!({"device_id": "x", "user_id": ada.user_id})).await, "/user_id");
    ada.delete(&format!("{}/a.b", path(&project))).await.problem(422, "validation-failed");
    for n in 0..20 {
        announce(&ada, &project, json!({"device_id": format!("tab-{n}")})).await;
    }
    let answer = ada.put(&path(&project), json!({"device_id": "one-more"})).await;
    answer.problem(429, "rate-limited");
    assert!(!answer.header("retry-after").is_empty());
    announce(&ada, &project, json!({"device_id": "tab-7"})).await;
    leave(&ada, &project, "tab-7").await;
    announce(&ada, &project, json!({"device_id": "one-more"})).await;
    assert_eq!(present(&ada, &project).await, names(&["ada"]));
    app.finish().await;
}

#[tokio::test]
async fn presence_is_shared_by_all_instances_and_expires() {
    let environment = TestEnvironment { flags: vec![SHORT.to_owned()], ..TestEnvironment::new().await };
    let (app, second) = (App::start_at(environment.clone()).await, App::start_at(environment.clone()).await);
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let project = project(&app, &ada, &[(&bea, "member")]).await;
    let on_second = Actor { url: second.url.clone(), ..ada.clone() };
    let mut streams = [
        open(&ada, &format!("/v1/projects/{project}/events/stream")).await,
        open(&on_second, &format!("/v1/stream?projects={project}")).await,
    ];
    announce(&bea, &project, json!({"device_id": "phone"})).await;
    for stream in &mut streams {
        assert_eq!(next_presence(stream).await, presence_of("joined", &bea, &[]));
    }
    assert_eq!(present(&on_second, &project).await, names(&["bea"]));
    // Each heartbeat extends the presence by its time, and the last one too.
    for _ in 0..3 {
        // Time: heartbeats come within the time for which a device is present.
        tokio::time::sleep(TTL / 2).await;
        announce(&bea, &project, json!({"device_id": "phone"})).await;
    }
    let before = Instant::now();
    announce(&bea, &project, json!({"device_id": "phone"})).await;
    for stream in &mut streams {
        assert_eq!(next_presence(stream).await, presence_of("left", &bea, &[]));
        let after = before.elapsed();
        assert!(after >= TTL && after < TTL + SLOW, "{after:?}");
    }
    assert!(present(&on_second, &project).await.is_empty());
    // An instance that starts later knows who is present, and until when.
    announce(&bea, &project, json!({"device_id": "phone"})).await;
    let third = App::start_at(environment).await;
    let late = Actor { url: third.url.clone(), ..ada.clone() };
    eventually("her presence expires on the third instance", || async {
        present(&late, &project).await.is_empty().then_some(())
    })
    .await;
    drop(streams);
    third.stop().await;
    second.stop().await;
    app.finish().await;
}

#[tokio::test]
async fn a_removed_member_is_absent_at_once_and_receives_nothing_more() {
    let app = App::start().await;
    let (ada, bea, cid) = (app.person("ada").await, app.person("bea").await, app.person("cid").await);
    let project = project(&app, &ada, &[(&bea, "member")]).await;
    let team = ada.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    let in_team = format!("/v1/teams/{team}/members/{}", cid.user_id);
    ada.put(&in_team, json!({"role": "member"})).await.expect(201);
    let of_project = format!("/v1/projects/{project}/teams/{team}");
    ada.put(&of_project, json!({"role": "viewer"})).await.expect(201);
    app.settle().await;
    let stream_path = format!("/v1/projects/{project}/events/stream");
    let mut stream = open(&ada, &stream_path).await;
    for person in [&ada, &bea, &cid] {
        announce(person, &project, json!({"device_id": "desk"})).await;
        assert_eq!(next_presence(&mut stream).await, presence_of("joined", person, &[]));
    }
    let mut hers = open(&bea, &stream_path).await;
    assert_eq!(present(&ada, &project).await, names(&["ada", "bea", "cid"]));

    ada.delete(&format!("/v1/projects/{project}/members/{}", bea.user_id)).await.expect(200);
    assert_eq!(next_presence(&mut stream).await, presence_of("left", &bea, &[]));
    assert_eq!(present(&ada, &project).await, names(&["ada", "cid"]));
    bea.put(&path(&project), json!({"device_id": "desk"})).await.problem(404, "not-found");
    announce(&ada, &project, json!({"device_id": "desk", "focus": new_id()})).await;
    next_presence(&mut stream).await;
    let mut last = Vec::new();
    while let Some(frame) = hers.next().await {
        last.push(frame.event);
    }
    assert_eq!(last, ["project.member_removed", "revoked"]);

    // Access through a team whose role ends: members with a role of their own are not affected.
    ada.delete(&of_project).await.expect(200);
    assert_eq!(next_presence(&mut stream).await, presence_of("left", &cid, &[]));
    ada.put(&of_project, json!({"role": "viewer"})).await.expect(201);
    app.settle().await;
    announce(&cid, &project, json!({"device_id": "desk"})).await;
    assert_eq!(next_presence(&mut stream).await, presence_of("joined", &cid, &[]));
    ada.delete(&in_team).await.expect(200);
    assert_eq!(next_presence(&mut stream).await, presence_of("left", &cid, &[]));
    assert_eq!(present(&ada, &project).await, names(&["ada"]));
    drop(stream);
    app.finish().await;
}

#[tokio::test]
async fn more_than_a_hundred_present_members_are_counted_and_paged() {
    const CROWD: usize = 104;
    let app = App::start().await;
    let ada = app.person("ada").await;
    let project = project(&app, &ada, &[]).await;
    let joining = (0..CROWD).map(|n| {
        let (ada, anonymous, project) = (&ada, app.anonymous(), &project);
        async move {
            let account =
                json!({"username": format!("p-{n}"), "display_name": "P", "password": "correct horse battery"});
            let made = anonymous.post("/v1/accounts", account).await.expect(201);
            let user = made["user_id"].as_str().unwrap().to_owned();
            ada.put(&format!("/v1/projects/{project}/members/{user}"), json!({"role": "viewer"})).await.expect(201);
            user
        }
    });
    let users: Vec<String> = futures::stream::iter(joining).buffer_unordered(8).collect().await;
    app.settle().await;
    announce(&ada, &project, json!({"device_id": "desk"})).await;
    let mut stream = open(&ada, &format!("/v1/projects/{project}/events/stream")).await;
    // Written as an instance does for a heartbeat; and for a user who is not a member.
    let jetstream = async_nats::jetstream::new(app.nats().await);
    let bucket = jetstream.get_key_value(format!("{}_PRESENCE", app.stream)).await.unwrap();
    let heartbeat = json!({"focus": null, "member_at": app.head().await}).to_string();
    let stranger = new_id().to_string();
    for user in users.iter().chain([&stranger]) {
        bucket.put(format!("{project}.{user}.phone"), heartbeat.clone().into()).await.unwrap();
    }
    let mut joined = BTreeSet::new();
    while !users.iter().chain([&stranger]).all(|user| joined.contains(user)) {
        let (kind, user, _) = next_presence(&mut stream).await;
        assert_eq!(kind, "joined");
        joined.insert(user);
    }
    let (mut seen, mut next, mut pages) = (Vec::new(), format!("{}?limit=50", path(&project)), 0);
    loop {
        let answer = ada.get(&next).await;
        let link = answer.header("link").to_owned();
        let page = answer.expect(200);
        assert_eq!(page["total"], CROWD + 1);
        seen.extend(page["items"].as_array().unwrap().iter().map(|i| i["user_id"].as_str().unwrap().to_owned()));
        pages += 1;
        if page["next_cursor"].is_null() {
            break;
        }
        next = link.split(['<', '>']).nth(1).unwrap().to_owned();
    }
    let expected: BTreeSet<String> = users.into_iter().chain([ada.user_id.clone()]).collect();
    assert_eq!((seen.len(), pages), (CROWD + 1, 3));
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), expected);
    ada.get(&format!("{}?limit=201", path(&project))).await.problem(422, "validation-failed");
    ada.get(&format!("{}?cursor=x", path(&project))).await.problem(422, "validation-failed");
    drop(stream);
    app.finish().await;
}
