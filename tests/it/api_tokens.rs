//! API tokens: their rights, limits, expiry and revocation on both APIs.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use taskfold::databases::{DatabaseRole, role_pool};
use taskfold_domain::limits::API_TOKENS_PER_USER;

use crate::harness::{Actor, App, Sse, TestEnvironment, eventually, new_id, now};

/// Time within which a revocation or expiry takes effect everywhere.
const FELT_WITHIN: Duration = Duration::from_secs(5);

fn in_seconds(seconds: i64) -> Value {
    json!(taskfold_domain::Timestamp::from(now().utc() + chrono::TimeDelta::seconds(seconds)))
}

async fn id_of(ada: &Actor, name: &str) -> String {
    let all = ada.get("/v1/api-tokens").await.expect(200);
    let token = all["items"].as_array().unwrap().iter().find(|t| t["name"] == name).unwrap();
    token["id"].as_str().unwrap().to_owned()
}

/// The event of the last frame.
async fn last_event(stream: &mut Sse) -> String {
    let mut last = String::new();
    while let Some(frame) = stream.next().await {
        last = frame.event;
    }
    last
}

#[tokio::test]
async fn an_api_token_is_shown_once_and_has_the_permissions_of_its_creator_on_both_apis() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let made = ada.post("/v1/api-tokens", json!({"name": "report", "access": "write"})).await;
    assert_eq!(made.header("cache-control"), "no-store");
    let made = made.expect(201);
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("tfp_") && token.len() == 47, "{token}");
    let script = ada.with_token(token);
    let task = script.task(&project, "From a script").await;
    app.settle().await;
    assert_eq!(script.get("/v1/me").await.expect(200)["user_id"], ada.user_id.as_str());
    script.get(&format!("/v1/tasks/{task}")).await.expect(200);
    assert_eq!(script.get("/v1/projects").await.expect(200)["items"].as_array().unwrap().len(), 1);

    let listed = ada.get("/v1/api-tokens").await.expect(200);
    let text = listed.to_string();
    assert!(!text.contains(token) && listed["items"][0].get("token").is_none(), "{text}");
    assert_eq!(
        (&listed["items"][0]["access"], &listed["items"][0]["id"], &listed["next_cursor"]),
        (&json!("write"), &made["id"], &Value::Null)
    );
    assert!(listed["items"][0]["last_used_at"].is_string(), "{text}");
    let (stored,): (String,) =
        sqlx::query_as("SELECT encode(secret_hash, 'hex') FROM api_tokens").fetch_one(&app.owner).await.unwrap();
    assert_eq!(stored.len(), 64);

    // Operations for people only.
    script.post("/v1/api-tokens", json!({"name": "n", "access": "read"})).await.problem(403, "forbidden");
    script.get("/v1/api-tokens").await.problem(403, "forbidden");
    script.delete(&format!("/v1/api-tokens/{}", made["id"].as_str().unwrap())).await.problem(403, "forbidden");
    script.delete("/v1/sessions/current").await.problem(403, "forbidden");
    for bad in ["tfp_", "tfp_x", &token[..46], &format!("{token}x")] {
        script.with_token(bad).get("/v1/me").await.problem(401, "unauthenticated");
        script.with_token(bad).post("/v1/projects", json!({"name": "P"})).await.problem(401, "unauthenticated");
    }
    app.finish().await;
}

#[tokio::test]
async fn the_query_role_cannot_read_secrets_or_write_accounts() {
    let app = App::start().await;
    let pool = role_pool(&app.database_url, DatabaseRole::Query, 1).await.unwrap();
    for statement in [
        "SELECT token_id FROM api_tokens",
        "SELECT invitation_id FROM invitations",
        "SELECT password_hash FROM accounts",
        "INSERT INTO accounts (user_id, username, display_name, created_at) VALUES (gen_random_uuid(), 'x', 'x', now())",
        "SELECT taskfold_invitation_uses(gen_random_uuid())",
    ] {
        let refused = sqlx::query(statement).execute(&pool).await.expect_err(statement);
        let code = refused.as_database_error().and_then(|e| e.code()).unwrap_or_default().into_owned();
        assert_eq!(code, "42501", "{statement}: {refused}");
    }
    pool.close().await;
    app.finish().await;
}

#[tokio::test]
async fn invalid_token_requests_are_refused_and_lists_are_paged() {
    let app = App::start().await;
    let (ada, eve) = (app.person("ada").await, app.person("eve").await);
    let (hers, _) = eve.project("Eve's").await;
    for (body, pointer) in [
        (json!({"name": "n"}), "/access"),
        (json!({"name": "", "access": "read"}), "/name"),
        (json!({"name": "n", "access": "all"}), "/access"),
        (json!({"name": "n", "access": "read", "project_id": hers}), "/project_id"),
        (json!({"name": "n", "access": "read", "expires_at": in_seconds(-1)}), "/expires_at"),
    ] {
        let answer = ada.post("/v1/api-tokens", body).await;
        assert_eq!(answer.problem(422, "validation-failed")["errors"][0]["pointer"], pointer);
    }
    for n in 0..3 {
        ada.api_token(json!({"name": format!("t{n}"), "access": "read"})).await;
    }
    let first = ada.get("/v1/api-tokens?limit=2").await;
    let next = first.header("link").strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
    let first = first.expect(200);
    assert_eq!((&first["items"][0]["name"], &first["items"][1]["name"]), (&json!("t0"), &json!("t1")));
    let rest = ada.get(&next).await.expect(200);
    assert_eq!((&rest["items"][0]["name"], &rest["next_cursor"]), (&json!("t2"), &Value::Null));
    let cursor = first["next_cursor"].as_str().unwrap();
    eve.get(&format!("/v1/api-tokens?cursor={cursor}")).await.problem(422, "validation-failed");
    assert_eq!(eve.get("/v1/api-tokens").await.expect(200)["items"], json!([]));
    let id = id_of(&ada, "t0").await;
    eve.delete(&format!("/v1/api-tokens/{id}")).await.problem(404, "not-found");
    app.finish().await;
}

#[tokio::test]
async fn requests_at_once_do_not_exceed_the_number_of_tokens_together() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let creating =
        (0..API_TOKENS_PER_USER + 8).map(|_| ada.post("/v1/api-tokens", json!({"name": "n", "access": "read"})));
    let created = futures::future::join_all(creating).await;
    let count = created.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(i64::try_from(count).unwrap(), API_TOKENS_PER_USER);
    app.finish().await;
}

#[tokio::test]
async fn a_token_limited_to_a_project_cannot_read_others_or_create_one() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let ((own, _), (other, _)) = (ada.project("Own").await, ada.project("Other").await);
    let (readable, foreign) = (ada.task(&own, "Readable").await, ada.task(&other, "Foreign").await);
    app.settle().await;
    let bot = ada.api_token(json!({"name": "bot", "access": "write", "project_id": own, "delegates": true})).await;
    let projects = bot.get("/v1/projects").await.expect(200);
    assert_eq!((projects["items"].as_array().unwrap().len(), &projects["items"][0]["id"]), (1, &json!(own)));
    bot.post("/v1/projects", json!({"name": "P"})).await.problem(403, "forbidden");
    let import = bot.request(Method::POST, "/v1/imports?format=trello").json(&json!({}));
    bot.send(import).await.problem(403, "forbidden");
    bot.post(&format!("/v1/tasks/{readable}/start"), json!({})).await.expect(200);
    bot.get(&format!("/v1/tasks/{readable}")).await.expect(200);
    bot.post(&format!("/v1/tasks/{foreign}/start"), json!({})).await.problem(404, "not-found");
    bot.get(&format!("/v1/tasks/{foreign}")).await.problem(404, "not-found");
    bot.get(&format!("/v1/projects/{other}/events/stream")).await.problem(404, "not-found");
    bot.get(&format!("/v1/stream?projects={own},{other}")).await.problem(404, "not-found");

    // Neither an earlier reply under the same key nor an id that is taken there reveals the other project.
    let key = new_id().to_string();
    let rename = |actor: &Actor| {
        let request = actor.request(Method::PATCH, &format!("/v1/projects/{other}"));
        request.header("idempotency-key", &key).json(&json!({"name": "Renamed"}))
    };
    ada.send(rename(&ada)).await.expect(200);
    bot.send(rename(&bot)).await.problem(404, "not-found");
    let taken = json!({"title": "T", "id": foreign});
    bot.post(&format!("/v1/projects/{own}/tasks"), taken).await.problem(404, "not-found");

    // A stream by a ticket has the same limits, also on a reconnect.
    let ticket = bot.post("/v1/stream-tickets", json!({})).await.expect(201)["ticket"].as_str().unwrap().to_owned();
    let anonymous = app.anonymous();
    anonymous.get(&format!("/v1/projects/{other}/events/stream?ticket={ticket}")).await.problem(404, "not-found");
    let again = anonymous.request(Method::GET, &format!("/v1/projects/{other}/events/stream?ticket={ticket}"));
    anonymous.send(again.header("last-event-id", "0")).await.problem(404, "not-found");
    let mut stream = anonymous.stream(&format!("/v1/projects/{own}/events/stream?ticket={ticket}&since=0")).await;
    assert_eq!(stream.next_change().await.unwrap().event, "project.created");
    app.finish().await;
}

#[tokio::test]
async fn a_revoked_token_is_refused_on_every_instance_and_its_streams_end() {
    let environment = TestEnvironment::new().await;
    let (app, second) = (App::start_at(environment.clone()).await, App::start_at(environment).await);
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let on_first = ada.api_token(json!({"name": "t", "access": "read", "delegates": true})).await;
    let on_second = Actor { url: second.url.clone(), ..on_first.clone() };
    on_first.get("/v1/me").await.expect(200);
    on_second.get("/v1/me").await.expect(200);
    let path = format!("/v1/projects/{project}/events/stream");
    let ticket =
        on_first.post("/v1/stream-tickets", json!({})).await.expect(201)["ticket"].as_str().unwrap().to_owned();
    let mut streams = [
        on_first.stream(&path).await,
        on_second.stream(&path).await,
        app.anonymous().stream(&format!("{path}?ticket={ticket}")).await,
    ];

    let id = id_of(&ada, "t").await;
    let revoked = Instant::now();
    assert_eq!(ada.delete(&format!("/v1/api-tokens/{id}")).await.status, 204);
    ada.delete(&format!("/v1/api-tokens/{id}")).await.problem(404, "not-found");
    for (actor, stream) in [&on_first, &on_second, &on_first].into_iter().zip(&mut streams) {
        assert_eq!(last_event(stream).await, "reauth");
        eventually("the token is refused", || async { (actor.get("/v1/me").await.status == 401).then_some(()) }).await;
    }
    assert!(revoked.elapsed() < FELT_WITHIN, "{:?}", revoked.elapsed());
    app.anonymous().get(&format!("{path}?ticket={ticket}")).await.problem(401, "unauthenticated");
    on_first.post("/v1/projects", json!({"name": "P"})).await.problem(401, "unauthenticated");
    second.stop().await;
    app.finish().await;
}

#[tokio::test]
async fn an_expired_token_ends_with_its_streams() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let begun = Instant::now();
    let body = json!({"name": "t", "access": "read", "delegates": true, "expires_at": in_seconds(4)});
    let brief = ada.api_token(body).await;
    let ticket = brief.post("/v1/stream-tickets", json!({})).await.expect(201);
    assert!(ticket["expires_in"].as_i64().unwrap() <= 4, "{ticket}");
    let path = format!("/v1/projects/{project}/events/stream");
    let mut by_token = brief.stream(&path).await;
    let by_ticket = format!("{path}?ticket={}", ticket["ticket"].as_str().unwrap());
    let mut by_ticket = app.anonymous().stream(&by_ticket).await;
    assert_eq!(last_event(&mut by_token).await, "reauth");
    assert_eq!(last_event(&mut by_ticket).await, "reauth");
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(4) + FELT_WITHIN, "{took:?}");
    brief.get("/v1/me").await.problem(401, "unauthenticated");
    // On a reconnect the error is a frame, which `EventSource` can read.
    let again = brief.request(Method::GET, &path).header("last-event-id", "1");
    assert_eq!(last_event(&mut Sse::open(again).await).await, "reauth");
    app.finish().await;
}
