use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::{Actor, App, Frame, Place, Sse, eventually};

async fn with_seconds(seconds: &str) -> Place {
    let flags = ["--presence-seconds", seconds].map(str::to_owned).to_vec();
    Place { flags, ..Place::new().await }
}

async fn say(actor: &Actor, project: &str, device: &str, focus: Option<&str>) -> Value {
    let path = format!("/v1/projects/{project}/presence");
    // The bucket is there a moment after the program is ready.
    eventually("presence is taken", || async {
        let answer = actor.put(&path, json!({"device_id": device, "focus": focus})).await;
        (answer.status != 503).then(|| answer.expect(200))
    })
    .await
}

/// The next frame about who is present.
async fn passing(stream: &mut Sse) -> Frame {
    loop {
        let frame = stream.next().await.unwrap();
        if frame.event.starts_with("presence.") {
            assert!(frame.id.is_empty() || !frame.data.to_string().contains("position"), "{frame:?}");
            return frame;
        }
    }
}

fn shown(frame: &Frame) -> (&str, &str, u64, usize) {
    let person = &frame.data;
    let focus = person["focus"].as_array().unwrap().len();
    (frame.event.as_str(), person["user_id"].as_str().unwrap(), person["devices"].as_u64().unwrap(), focus)
}

#[tokio::test]
async fn people_come_look_and_go_on_every_instance() {
    let place = with_seconds("30").await;
    let (app, second) = (App::start_at(place.clone()).await, App::start_at(place).await);
    let (ada, bea, eve) = (app.person("ada").await, app.person("bea").await, app.person("eve").await);
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    let member = format!("/v1/projects/{project}/members/{}", bea.user_id);
    ada.put(&member, json!({"role": "viewer"})).await.expect(201);
    app.settle().await;
    let path = format!("/v1/projects/{project}/presence");
    let elsewhere = Actor { url: second.url.clone(), ..ada.clone() };
    let mut one = ada.stream(&format!("/v1/projects/{project}/events/stream")).await;
    let mut several = elsewhere.stream(&format!("/v1/stream?projects={project}")).await;
    for stream in [&mut one, &mut several] {
        assert_eq!(stream.next().await.unwrap().event, "hello");
    }

    let said = say(&bea, &project, "tab-1", None).await;
    assert_eq!(said, json!({"user_id": bea.user_id, "device_id": "tab-1", "focus": null, "expires_in": 30}));
    say(&bea, &project, "tab-2", Some(&task)).await;
    // What one has said, one sees.
    let here = bea.get(&path).await.expect(200);
    let expected =
        json!({"user_id": bea.user_id, "username": "bea", "display_name": "BEA", "devices": 2, "focus": [task]});
    assert_eq!(here, json!({"items": [expected], "next_cursor": null, "total": 1}));
    say(&bea, &project, "tab-2", Some(&task)).await;
    bea.delete(&format!("{path}/tab-1")).await.expect(204);
    bea.delete(&format!("{path}/tab-1")).await.expect(204);
    bea.delete(&format!("{path}/tab-2")).await.expect(204);
    assert_eq!(bea.get(&path).await.expect(200)["total"], 0);
    for stream in [&mut one, &mut several] {
        let frames = [passing(stream).await, passing(stream).await, passing(stream).await];
        let seen: Vec<_> = frames.iter().map(shown).collect();
        let bea = bea.user_id.as_str();
        let expected = [("presence.joined", bea, 1, 0), ("presence.focused", bea, 2, 1), ("presence.left", bea, 0, 0)];
        assert_eq!(seen, expected);
    }

    // Others do not see it, and nobody who is removed stays.
    eve.get(&path).await.problem(404, "not-found");
    eve.put(&path, json!({"device_id": "d"})).await.problem(404, "not-found");
    for wrong in
        [json!({"device_id": "a b"}), json!({"device_id": ""}), json!({"device_id": "d", "focus": ada.user_id})]
    {
        ada.put(&path, wrong).await.problem(422, "validation-failed");
    }
    for n in 0..20 {
        say(&ada, &project, &format!("d{n}"), None).await;
    }
    ada.put(&path, json!({"device_id": "one-more"})).await.problem(422, "validation-failed");
    say(&bea, &project, "tab", None).await;
    ada.delete(&member).await.expect(200);
    let mut left = passing(&mut one).await;
    while left.event != "presence.left" {
        left = passing(&mut one).await;
    }
    assert_eq!(left.data["user_id"], json!(bea.user_id));
    drop((one, several));
    second.stop().await;
    app.finish().await;
}

#[tokio::test]
async fn whoever_is_not_heard_of_any_more_goes_and_a_hundred_come_in_pages() {
    let app = App::start_at(with_seconds("2").await).await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let path = format!("/v1/projects/{project}/presence");
    let mut stream = ada.stream(&format!("/v1/stream?projects={project}")).await;
    assert_eq!(stream.next().await.unwrap().event, "hello");
    say(&ada, &project, "d", None).await;
    assert_eq!(passing(&mut stream).await.event, "presence.joined");
    let said = tokio::time::Instant::now();
    say(&ada, &project, "d", None).await;
    assert_eq!(passing(&mut stream).await.event, "presence.left");
    let after = said.elapsed();
    assert!(after >= Duration::from_millis(1_900), "{after:?}");
    assert_eq!(ada.get(&path).await.expect(200)["total"], 0);

    // 120 people, who are members by a row, as making so many accounts would take a while.
    let people: Vec<uuid::Uuid> = (1..=120).map(uuid::Uuid::from_u128).collect();
    sqlx::query(
        "INSERT INTO project_members (project_id, user_id, role, position) SELECT $1::uuid, unnest($2), 'viewer', 0",
    )
    .bind(uuid::Uuid::parse_str(&project).unwrap())
    .bind(&people)
    .execute(&app.owner)
    .await
    .unwrap();
    let kv =
        async_nats::jetstream::new(app.nats().await).get_key_value(format!("{}_presence", app.stream)).await.unwrap();
    for user in &people {
        let key = format!("{}.{}.d", project.replace('-', ""), user.simple());
        kv.put(key, "{\"focus\": null}".into()).await.unwrap();
    }
    let (mut seen, mut next) = (0, format!("{path}?limit=100"));
    loop {
        let page = ada.get(&next).await.expect(200);
        assert_eq!(page["total"], 120);
        seen += page["items"].as_array().unwrap().len();
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("{path}?limit=100&cursor={cursor}");
    }
    assert_eq!(seen, 120);
    app.stop().await;
}

#[tokio::test]
async fn an_instance_that_is_killed_takes_nobody_along_for_longer_than_their_last_word() {
    let place = with_seconds("3").await;
    let app = App::start_at(place.clone()).await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut killed = Command::new(env!("CARGO_BIN_EXE_taskfold"))
        .args(["query-api", "--listen", &format!("127.0.0.1:{port}"), "--database-url", &place.database_url])
        .args(["--nats-url", &place.nats_url, "--stream", &place.stream, "--presence-seconds", "3"])
        .args(["--data-dir", place.data_dir.to_str().unwrap(), "--log", "error"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let there = Actor { url: format!("http://127.0.0.1:{port}"), ..ada.clone() };
    eventually("the second instance is there", || async {
        let ready = reqwest::get(format!("{}/health/ready", there.url)).await;
        ready.is_ok_and(|r| r.status() == 200).then_some(())
    })
    .await;
    let mut stream = ada.stream(&format!("/v1/stream?projects={project}")).await;
    assert_eq!(stream.next().await.unwrap().event, "hello");
    say(&there, &project, "d", None).await;
    assert_eq!(passing(&mut stream).await.event, "presence.joined");
    killed.kill().unwrap();
    killed.wait().unwrap();
    let at = tokio::time::Instant::now();
    assert_eq!(passing(&mut stream).await.event, "presence.left");
    assert!(at.elapsed() < Duration::from_secs(5), "{:?}", at.elapsed());
    drop(stream);
    app.finish().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_loses_presence_and_no_event() {
    let app = App::start_at(with_seconds("30").await).await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    app.settle().await;
    let address = app.url.trim_start_matches("http://").to_owned();
    let mut slow = TcpStream::connect(&address).await.unwrap();
    let token = ada.token.clone().unwrap();
    let path = format!("/v1/projects/{project}/events/stream");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
    slow.write_all(request.as_bytes()).await.unwrap();
    // More than the sockets between hold, while nothing is read.
    let text = "x".repeat(16_000);
    let (first, mut last) = (app.head().await, 0);
    for _ in 0..120 {
        let comment = ada.post(&format!("/v1/tasks/{task}/comments"), json!({"text": text})).await.expect(201);
        last = comment["position"].as_i64().unwrap();
    }
    for n in 0..100 {
        say(&ada, &project, "d", (n % 2 == 0).then_some(task.as_str())).await;
    }
    let mut reader = tokio::io::BufReader::new(slow);
    let (mut events, mut stale, mut presence) = (Vec::new(), 0, 0);
    while events.last() != Some(&last) || stale == 0 {
        let mut line = String::new();
        let read = tokio::io::AsyncBufReadExt::read_line(&mut reader, &mut line);
        assert!(tokio::time::timeout(crate::harness::PATIENCE, read).await.unwrap().unwrap() > 0, "it ended");
        match line.trim_end() {
            "event: presence.stale" => stale += 1,
            text if text.starts_with("event: presence.") => presence += 1,
            text => {
                if let Some(change) = text.strip_prefix("data: {\"position\":") {
                    events.push(change.split(',').next().unwrap().parse::<i64>().unwrap_or_default());
                }
            }
        }
    }
    events.retain(|position| *position > first);
    assert_eq!(events, (first + 1..=last).collect::<Vec<_>>());
    assert_eq!(stale, 1);
    assert!(presence < 100, "{presence}");
    drop(reader);
    app.finish().await;
}
